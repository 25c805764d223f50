// aedes (MQTT 3.1.1) on a free port of 127.0.0.1. Prints {"port": …} once it listens; ends with its standard input.
import { createServer } from 'node:http'
import { load } from './packages.mjs'

const { Aedes } = await load('aedes')
const { WebSocketServer, createWebSocketStream } = await load('ws')

const broker = await Aedes.createBroker()
const http = createServer()
const handleProtocols = (offered) => (offered.has('mqtt') ? 'mqtt' : false)
new WebSocketServer({ server: http, handleProtocols }).on('connection', (websocket, request) => {
  broker.handle(createWebSocketStream(websocket), request)
})
http.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ port: http.address().port }))
})
process.stdin.resume().on('end', () => process.exit(0))
