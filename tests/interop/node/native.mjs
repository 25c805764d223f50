// @azure/web-pubsub-client, led by JSON lines. In: {"id", "do", …}. Out: {"id", "result"} or {"id", "error"} per command,
// in any order, and {"event", …} for what happens besides. One client a process; binary data travels as base64.
import { createInterface } from 'node:readline'
import { load } from './packages.mjs'

const { WebPubSubClient, WebPubSubJsonProtocol, WebPubSubJsonReliableProtocol } = await load('@azure/web-pubsub-client')
const [url, kind] = process.argv.slice(2)
const protocol = kind === 'reliable' ? WebPubSubJsonReliableProtocol() : WebPubSubJsonProtocol()
const client = new WebPubSubClient(url, { protocol, messageRetryOptions: { maxRetries: 0 } })
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)

const binary = (type) => type === 'binary' || type === 'protobuf'
const shown = ({ message }) => ({
  group: message.group ?? null,
  from: message.fromUserId ?? null,
  type: message.dataType,
  data: binary(message.dataType) ? Buffer.from(message.data).toString('base64') : message.data,
  number: message.sequenceId ?? null,
})
const given = ({ type, data }) => (binary(type) ? new Uint8Array(Buffer.from(data, 'base64')).buffer : data)

client.on('connected', ({ connectionId, userId }) => say({ event: 'connected', id: connectionId, user: userId ?? null }))
client.on('disconnected', ({ message }) => say({ event: 'disconnected', reason: message?.message ?? null }))
client.on('stopped', () => say({ event: 'stopped' }))
client.on('group-message', (event) => say({ event: 'message', ...shown(event) }))
client.on('server-message', (event) => say({ event: 'message', ...shown(event) }))

const commands = {
  start: () => client.start(),
  stop: () => client.stop(),
  join: ({ group }) => client.joinGroup(group),
  leave: ({ group }) => client.leaveGroup(group),
  send: (line) => client.sendToGroup(line.group, given(line), line.type, line.options),
  event: (line) => client.sendEvent(line.name, given(line), line.type, line.options),
  // A network that breaks: no Close frame, no farewell.
  cut: () => client._wsClient._socket.terminate(),
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: name, ...rest } = JSON.parse(line)
  Promise.resolve().then(() => commands[name](rest)).then(
    (result) => say({ id, result: result ?? null }),
    (error) => say({ id, error: error.errorDetail?.name ?? `${error.name}: ${error.message}` }),
  )
}
process.exit(0)
