import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Address } from '#lib/pilot/address.js'
import { Runtime, type RuntimeDriver } from '#lib/plugin/runtime.js'
import type { ServiceDeps } from '#lib/plugin/service.js'
import { recordingLogger } from '../../../../test/helpers/service-harness.ts'

const address = new Address(0, 7)
const driver: RuntimeDriver = {
  dial: async () => assert.fail('not used'),
  listen: async () => assert.fail('not used'),
  resolve: async () => address,
  info: async () => ({ nodeId: 7, address }),
}

test('[deps.streams] [deps.identity] [deps.resolver] [deps.logger] [deps.trust] a service gets the dependencies of its host', async () => {
  const { logger } = recordingLogger()
  const trust = { isTrusted: () => true, displayName: () => 'friend' }
  const runtime = new Runtime({ driver, logger, trust })
  let deps: ServiceDeps | undefined
  runtime.register({
    name: 'probe',
    order: 1,
    start: async given => {
      deps = given
    },
    stop: async () => {},
  })
  await runtime.start()
  assert.equal(deps?.streams, driver)
  assert.deepEqual(deps?.identity, { nodeId: 7, address })
  assert.equal(await deps?.resolver.resolve('any'), address)
  assert.equal(deps?.events, runtime.events)
  assert.equal(deps?.logger, logger)
  assert.equal(deps?.trust, trust)
  await runtime.stop()
})

test('[deps.trust] without a trust checker a service gets none', async () => {
  const runtime = new Runtime({ driver })
  let deps: ServiceDeps | undefined
  runtime.register({
    name: 'probe',
    order: 1,
    start: async given => {
      deps = given
    },
    stop: async () => {},
  })
  await runtime.start()
  assert.equal('trust' in (deps ?? {}), false)
  await runtime.stop()
})

test('a driver that does not answer keeps the services from starting', async () => {
  let started = false
  const runtime = new Runtime({ driver: { ...driver, info: () => Promise.reject(new Error('no daemon')) } })
  runtime.register({
    name: 'probe',
    order: 1,
    start: async () => {
      started = true
    },
    stop: async () => {},
  })
  await assert.rejects(runtime.start(), /no daemon/)
  assert.equal(started, false)
})
