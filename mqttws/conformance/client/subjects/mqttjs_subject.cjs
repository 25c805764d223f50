// MQTT.js as a Client under test, by the convention of mqttws.conformance.client.convention: tasks on standard input,
// events on standard output. node mqttjs_subject.cjs URL, in a folder from which the package `mqtt` can be loaded.
'use strict'
const readline = require('node:readline')

const where = [process.cwd(), ...(process.env.NODE_PATH || '').split(require('node:path').delimiter).filter(Boolean)]
const mqtt = require(require.resolve('mqtt', { paths: where }))
const url = process.argv[2]

const say = (event, members) => process.stdout.write(JSON.stringify({ event, ...members }) + '\n')
const fail = (task, error) => say('error', { task, message: String(error && error.message || error) })

// A word of a task is text or bytes as it stands, or in hexadecimal behind `hex:`; a number; or a flag.
const bytes = (word) => word.startsWith('hex:') ? Buffer.from(word.slice(4), 'hex') : Buffer.from(word)
const text = (word) => bytes(word).toString()
const flag = (word) => word === '1'

// Each task: what it always needs, what may follow as name=value.
const READERS = {
  connect: [{}, {
    version: Number, client_id: text, clean_start: flag, keep_alive: Number, username: text, password: bytes,
    will_topic: text, will_payload: bytes, will_qos: Number, will_retain: flag, session_expiry: Number,
    receive_maximum: Number, maximum_packet_size: Number, topic_alias_maximum: Number,
    auth_method: text, auth_data: bytes, reconnect: flag,
  }],
  subscribe: [{ topic_filter: text, qos: Number }, {
    no_local: flag, retain_as_published: flag, retain_handling: Number, subscription_identifier: Number,
  }],
  unsubscribe: [{ topic_filter: text }, {}],
  publish: [{ topic: text, payload: bytes, qos: Number }, {
    retain: flag, topic_alias: Number, message_expiry: Number, content_type: text, response_topic: text,
    correlation_data: bytes,
  }],
  disconnect: [{}, { reason_code: Number }],
}

function read(line) {
  const [name, ...words] = line.trim().split(/\s+/)
  if (!Object.hasOwn(READERS, name)) throw new Error('there is no such task')
  const [needed, settings] = READERS[name]
  const values = {}
  for (const key of Object.keys(needed)) values[key] = needed[key](words.shift())
  for (const word of words) {
    const [key] = word.split('=', 1)
    if (!Object.hasOwn(settings, key)) throw new Error(`there is no setting ${key}`)
    values[key] = settings[key](word.slice(key.length + 1))
  }
  return [name, values]
}

// The values that were given, by MQTT.js's names; undefined without one.
function renamed(values, names) {
  const given = Object.entries(names).filter(([name]) => values[name] !== undefined)
  return given.length ? Object.fromEntries(given.map(([name, its]) => [its, values[name]])) : undefined
}

let client
let version
let madeFor
let farewell  // the code of the Server's DISCONNECT
let greeted

function listen() {
  client.on('packetreceive', (packet) => {
    if (packet.cmd === 'connack') {
      greeted = true
      say('connected', { session_present: packet.sessionPresent, reason_code: packet.reasonCode ?? packet.returnCode })
    }
  })
  client.on('message', (topic, payload, { qos, retain }) => {
    say('message', { topic, payload: payload.toString('hex'), qos, retain })
  })
  client.on('error', (error) => fail(greeted ? '' : 'connect', error))
  client.on('disconnect', (packet) => { farewell = packet.reasonCode ?? 0 })
  client.on('close', () => {
    say('disconnected', { reason: '', reason_code: farewell ?? null })
    farewell = undefined
    greeted = false
  })
}

const DO = {
  connect(values) {
    version = values.version
    const clean = values.clean_start ?? true
    const options = {
      protocolVersion: version,
      clean,
      keepalive: values.keep_alive ?? 60,
      clientId: values.client_id,
      username: values.username,
      password: values.password,
      reconnectPeriod: values.reconnect ? 100 : 0,
      resubscribe: values.reconnect ?? false,
    }
    if (values.will_topic !== undefined) {
      options.will = {
        topic: values.will_topic,
        payload: values.will_payload ?? Buffer.alloc(0),
        qos: values.will_qos ?? 0,
        retain: values.will_retain ?? false,
      }
    }
    if (version === 5) {
      options.properties = renamed(values, {
        session_expiry: 'sessionExpiryInterval',
        receive_maximum: 'receiveMaximum',
        maximum_packet_size: 'maximumPacketSize',
        topic_alias_maximum: 'topicAliasMaximum',
        auth_method: 'authenticationMethod',
        auth_data: 'authenticationData',
      })
    }
    const like = JSON.stringify([version, values.client_id])
    if (client && like === madeFor && !clean) {
      client.options.clean = clean
      client.reconnect({ incomingStore: client.incomingStore, outgoingStore: client.outgoingStore })
      return
    }
    if (!clean) {  // what is in flight is to outlive the end of the connection
      options.incomingStore = new mqtt.Store({ clean: false })
      options.outgoingStore = new mqtt.Store({ clean: false })
    }
    for (const key of Object.keys(options)) if (options[key] === undefined) delete options[key]
    client = mqtt.connect(url, options)
    madeFor = like
    client.handleAuth = (packet, done) => done(null, {
      cmd: 'auth',
      reasonCode: 0x18,
      properties: { authenticationMethod: values.auth_method, authenticationData: values.auth_data },
    })
    listen()
  },

  subscribe(values) {
    const options = { qos: values.qos }
    if (version === 5) {
      options.nl = values.no_local ?? false
      options.rap = values.retain_as_published ?? false
      options.rh = values.retain_handling ?? 0
      const properties = renamed(values, { subscription_identifier: 'subscriptionIdentifier' })
      if (properties) options.properties = properties
    }
    client.subscribe(values.topic_filter, options, (error, granted, suback) => {
      if (suback) say('subscribed', { codes: suback.granted })
      else if (error) fail('subscribe', error)
      else say('subscribed', { codes: granted.map((one) => one.qos) })
    })
  },

  unsubscribe(values) {
    client.unsubscribe(values.topic_filter, (error, packet) => {
      if (error) fail('unsubscribe', error)
      else say('unsubscribed', { codes: [].concat(packet?.granted ?? []) })
    })
  },

  publish(values) {
    const options = { qos: values.qos, retain: values.retain ?? false }
    const properties = renamed(values, {
      topic_alias: 'topicAlias',
      message_expiry: 'messageExpiryInterval',
      content_type: 'contentType',
      response_topic: 'responseTopic',
      correlation_data: 'correlationData',
    })
    if (version === 5 && properties) options.properties = properties
    client.publish(values.topic, values.payload, options, (error, packet) => {
      if (!error) say('published', { reason_code: packet?.reasonCode ?? null })
      else if (error.code >= 0x80) say('published', { reason_code: error.code })
      else fail('publish', error)
    })
  },

  disconnect(values) {
    if (version === 5 && values.reason_code !== undefined) client.end(false, { reasonCode: values.reason_code })
    else client.end()
  },
}

const lines = readline.createInterface({ input: process.stdin, terminal: false })
lines.on('line', (line) => {
  if (!line.trim()) return
  if (line.trim() === 'exit') process.exit(0)
  const task = line.trim().split(/\s+/, 1)[0]
  let values
  try {
    values = read(line)[1]
  } catch (error) {
    say('unsupported', { task, why: error.message })
    return
  }
  if (!client && task !== 'connect') {
    fail(task, 'not connected')
    return
  }
  try {
    DO[task](values)
  } catch (error) {
    fail(task, error)
  }
})
lines.on('close', () => process.exit(0))
