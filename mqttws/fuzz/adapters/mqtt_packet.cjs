// npm's mqtt-packet on standard input and output, in the line protocol of mqttws.conformance.codec.command.
// node mqtt_packet.cjs VERSION, in a folder from which the package can be loaded; --check says which release that is.
'use strict'
const readline = require('node:readline')

const where = [process.cwd(), ...(process.env.NODE_PATH || '').split(':').filter(Boolean)]
const load = (name) => require(require.resolve(name, { paths: where }))

let mqtt
try {
  mqtt = load('mqtt-packet')
} catch (error) {
  process.stderr.write('mqtt-packet is not installed\n')
  process.exit(1)
}
if (process.argv[2] === '--check') {
  process.stdout.write(load('mqtt-packet/package.json').version + '\n')
  process.exit(0)
}

const protocolVersion = Number(process.argv[2])
const lines = readline.createInterface({ input: process.stdin, terminal: false })
lines.on('line', (line) => {
  let answer = 'error waits for more'
  const parser = mqtt.parser({ protocolVersion })
  parser.on('packet', () => { answer = 'ok' })
  parser.on('error', (error) => { answer = 'error ' + error.message })
  try {
    parser.parse(Buffer.from(line, 'hex'))
  } catch (error) {
    answer = 'crash ' + error
  }
  process.stdout.write(answer.replace(/\s+/g, ' ') + '\n')
})
