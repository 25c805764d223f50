// @azure/web-pubsub, led by JSON lines. In: {"do": method, "group": name or absent, "arguments": […]}.
// Out: {"result"} or {"error"} per line, in order. The connection string and the hub are the arguments of the program.
import { createInterface } from 'node:readline'
import { load } from './packages.mjs'

const { WebPubSubServiceClient } = await load('@azure/web-pubsub')
const [connectionString, hub] = process.argv.slice(2)
const client = new WebPubSubServiceClient(connectionString, hub, { allowInsecureConnection: true })

async function answer(line) {
  const target = line.group === undefined ? client : client.group(line.group)
  const given = line.arguments.map((each) => each?.base64 === undefined ? each : Buffer.from(each.base64, 'base64'))
  let result = await target[line.do](...given)
  if (typeof result?.[Symbol.asyncIterator] === 'function') {
    const items = []
    for await (const item of result) items.push(item)
    result = items
  }
  return result ?? null
}

for await (const line of createInterface({ input: process.stdin })) {
  let said
  try {
    said = { result: await answer(JSON.parse(line)) }
  } catch (error) {
    said = { error: `${error.name}: ${error.message}` }
  }
  process.stdout.write(`${JSON.stringify(said)}\n`)
}
