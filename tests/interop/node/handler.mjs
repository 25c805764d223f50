// @azure/web-pubsub-express in an Express server on a free port of 127.0.0.1: the event handler of one hub. Prints
// {"port": …} once it listens, then {"event": name, "request": what the package made of it} for each event. What it
// answers goes by the user name of a client and the name of an event. Arguments: the hub, and endpoints it allows.
import { load } from './packages.mjs'

const { WebPubSubEventHandler } = await load('@azure/web-pubsub-express')
const express = (await load('express')).default
const [hub, ...allowedEndpoints] = process.argv.slice(2)

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const tell = (request) => say({ event: request.context.eventName, request })

const answers = {
  nobody: (request, response) => response.success(),
  banned: (request, response) => response.failWith({
    mqtt: {
      code: request.mqtt.protocolVersion === 5 ? 0x8A : 5,
      reason: 'not today',
      userProperties: [{ name: 'until', value: 'tomorrow' }],
    },
  }),
  unauthorized: (request, response) => response.fail(401, 'who are you?'),
  broken: (request, response) => response.fail(500),
}

const handler = new WebPubSubEventHandler(hub, {
  allowedEndpoints: allowedEndpoints.length ? allowedEndpoints : undefined,
  handleConnect(request, response) {
    tell(request)
    if (!request.mqtt) {  // a client of Web PubSub's own protocols
      if (request.queries.refuse) return response.fail(401, 'who are you?')
      response.setState('events', 0)
      return response.success({ userId: 'a native user', groups: ['welcome'], subprotocol: request.subprotocols[0] })
    }
    const answer = answers[request.mqtt.username]
    if (answer) return answer(request, response)
    response.setState('events', 0)
    response.success({
      userId: `user of ${request.mqtt.username}`,
      groups: ['welcome'],
      roles: ['webpubsub.sendToGroup.out', 'webpubsub.joinLeaveGroup.in'],
      subprotocol: 'mqtt',
      mqtt: { userProperties: [{ name: 'greeting', value: 'hello' }] },
    })
  },
  onConnected: tell,
  onDisconnected: tell,
  handleUserEvent(request, response) {
    tell(request)
    if (request.context.eventName === 'fail') return response.fail(400, 'you asked for it')
    response.setState('events', (request.context.states.events ?? 0) + 1)
    const data = request.dataType === 'json' ? JSON.stringify(request.data) : request.data
    response.success(data, request.dataType)
  },
})

const app = express()
app.use(handler.getMiddleware())
const server = app.listen(0, '127.0.0.1', () => say({ port: server.address().port, path: handler.path }))
process.stdin.resume().on('end', () => process.exit(0))
