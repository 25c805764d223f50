// aedes on a free port of 127.0.0.1, from the packages in MQTTWS_NODE_PACKAGES. Prints {"url": …} once it listens; ends
// with its standard input.
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const { resolve } = createRequire(`${process.env.MQTTWS_NODE_PACKAGES}/`)
const load = async (name) => {
  const module = await import(pathToFileURL(resolve(name)).href)
  return { ...module.default, ...module } // CommonJS or not
}
const { Aedes } = await load('aedes')
const { WebSocketServer, createWebSocketStream } = await load('ws')

const broker = await Aedes.createBroker()
const http = createServer()
new WebSocketServer({ server: http, handleProtocols: () => 'mqtt' }).on('connection', (websocket, request) => {
  broker.handle(createWebSocketStream(websocket), request)
})
// As many as ours keeps ready to accept: else a storm measures how long TCP waits before it tries again.
http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  console.log(JSON.stringify({ url: `ws://127.0.0.1:${http.address().port}/mqtt` }))
})
process.stdin.resume().on('end', () => process.exit(0))
