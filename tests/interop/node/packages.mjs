// Loads a package out of the folder that counterparts.py filled: it is a cache, not a parent of this script.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const { resolve } = createRequire(`${process.env.MQTTWS_NODE_PACKAGES}/`)

export async function load(name) {
  const module = await import(pathToFileURL(resolve(name)).href)
  return { ...module.default, ...module }  // CommonJS or not
}
