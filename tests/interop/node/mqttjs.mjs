// MQTT.js, led by JSON lines. In: {"id", "do", …}. Out: {"id", "result"} or {"id", "error": {…}} per command, in any
// order, and {"message": {…}} for each Application Message. One client a process; payloads travel as base64.
import { createInterface } from 'node:readline'
import { load } from './packages.mjs'

const { connect } = await load('mqtt')

let client
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)

// Settles with what CONNACK said; a connection that ends without one is an error.
function greeting() {
  return new Promise((resolve, reject) => {
    const finish = (settle) => (value) => {
      client.off('packetreceive', connack).off('error', failed).off('close', closed)
      settle(value)
    }
    const succeed = finish(resolve)
    const fail = finish(reject)
    const connack = (packet) => packet.cmd === 'connack' && succeed({
      session_present: packet.sessionPresent,
      reason_code: packet.reasonCode ?? packet.returnCode,
      reason_string: packet.properties?.reasonString ?? null,
    })
    const failed = (error) => fail(error)
    const closed = () => fail(new Error('closed before CONNACK'))
    client.on('packetreceive', connack).on('error', failed).on('close', closed)
  })
}

const commands = {
  async connect({ url, options }) {
    if (options.will) options.will.payload = Buffer.from(options.will.payload, 'base64')
    client = connect(url, { reconnectPeriod: 0, ...options })
    client.on('error', () => {})  // reported by the command it belongs to
    client.on('close', () => say({ closed: true }))
    client.on('message', (topic, payload, packet) => say({
      message: { topic, payload: payload.toString('base64'), qos: packet.qos, retain: packet.retain },
    }))
    return greeting()
  },
  async reconnect() {
    // The option is read at each CONNECT: this one asks for the Session that is there.
    client.options.clean = false
    // Without its stores it would forget what it had in flight.
    client.reconnect({ incomingStore: client.incomingStore, outgoingStore: client.outgoingStore })
    return greeting()
  },
  async subscribe({ topic, qos }) {
    const granted = await client.subscribeAsync(topic, { qos })
    return granted.map((each) => each.qos)
  },
  async publish({ topic, payload, qos, retain }) {
    await client.publishAsync(topic, Buffer.from(payload, 'base64'), { qos, retain })
    return null
  },
  async disconnect() {
    await client.endAsync()
    return null
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: name, ...rest } = JSON.parse(line)
  commands[name](rest).then(
    (result) => say({ id, result }),
    (error) => say({ id, error: { message: error.message, reason_code: error.code ?? null } }),
  )
}
process.exit(0)
