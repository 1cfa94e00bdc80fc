import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PluginError } from '#lib/errors.js'
import { silentLogger } from '#lib/logger.js'
import { Address } from '#lib/pilot/address.js'
import { EventBus } from '#lib/plugin/events.js'
import { ServiceRegistry } from '#lib/plugin/registry.js'
import type { PluginService, ServiceDeps } from '#lib/plugin/service.js'

const never = async () => {
  throw new Error('not used here')
}
const deps: ServiceDeps = {
  streams: { dial: never, listen: never },
  identity: { nodeId: 1, address: new Address(0, 1) },
  resolver: { resolve: never },
  events: new EventBus(),
  logger: silentLogger,
}

function service(
  name: string,
  order: number,
  calls: string[],
  over: Partial<PluginService> = {},
): PluginService {
  return {
    name,
    order,
    start: async () => {
      calls.push(`start ${name}`)
    },
    stop: async () => {
      calls.push(`stop ${name}`)
    },
    ...over,
  }
}

test('[registry.start-order] [registry.stop-order] services start by ascending order and stop in reverse', async () => {
  const calls: string[] = []
  const registry = new ServiceRegistry()
  for (const [name, order] of [
    ['data', 110],
    ['trust', 50],
    ['handshake', 70],
    ['second', 70],
  ] as const) {
    registry.register(service(name, order, calls))
  }
  await registry.start(deps)
  assert.deepEqual(calls, ['start trust', 'start handshake', 'start second', 'start data'])
  calls.length = 0
  await registry.stop()
  assert.deepEqual(calls, ['stop data', 'stop second', 'stop handshake', 'stop trust'])
})

test('[registry.late] a registration after the start is refused', async () => {
  const registry = new ServiceRegistry()
  await registry.start(deps)
  assert.throws(() => registry.register(service('late', 1, [])), { code: 'REGISTRY_STARTED' })
})

test('two services of one name are refused', () => {
  const registry = new ServiceRegistry()
  registry.register(service('a', 1, []))
  assert.throws(() => registry.register(service('a', 2, [])), { code: 'SERVICE_DUPLICATE' })
})

test('[registry.start-throw] a throw in start, also a synchronous one, becomes an error, and the started services are stopped', async () => {
  for (const start of [
    async () => {
      throw new Error('no port')
    },
    () => {
      throw new Error('no port')
    },
  ]) {
    const calls: string[] = []
    const registry = new ServiceRegistry()
    registry.register(service('first', 1, calls))
    registry.register(service('bad', 2, calls, { start }))
    registry.register(service('third', 3, calls))
    await assert.rejects(registry.start(deps), (error: unknown) => {
      assert.ok(error instanceof PluginError)
      assert.equal(error.code, 'SERVICE_START_FAILED')
      assert.match(error.message, /bad did not start: no port/)
      assert.equal((error.cause as Error).message, 'no port')
      return true
    })
    assert.deepEqual(calls, ['start first', 'stop first'])
  }
})

test('[registry.stop-throw] [registry.stop-all] a throw in stop becomes an error after the others have been stopped', async () => {
  const calls: string[] = []
  const registry = new ServiceRegistry()
  registry.register(service('first', 1, calls))
  registry.register(
    service('bad', 2, calls, {
      stop: () => {
        throw new Error('stuck')
      },
    }),
  )
  await registry.start(deps)
  await assert.rejects(registry.stop(), { code: 'SERVICE_STOP_FAILED', message: /bad: stuck/ })
  assert.deepEqual(calls, ['start first', 'start bad', 'stop first'])
})

test('[registry.stop-deadline] a stop that takes longer than 5 s is abandoned, and the others are stopped', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const calls: string[] = []
  const registry = new ServiceRegistry()
  let signal: AbortSignal | undefined
  registry.register(service('first', 1, calls))
  registry.register(
    service('slow', 2, calls, {
      stop: stopSignal => {
        signal = stopSignal
        calls.push('stop slow')
        return new Promise(() => {})
      },
    }),
  )
  await registry.start(deps)
  const stopped = assert.rejects(registry.stop(), { code: 'SERVICE_STOP_FAILED', message: /slow.*5000 ms/ })
  t.mock.timers.tick(4_999)
  assert.equal(signal?.aborted, false)
  t.mock.timers.tick(1)
  await stopped
  assert.equal(signal?.aborted, true)
  assert.deepEqual(calls, ['start first', 'start slow', 'stop slow', 'stop first'])
})

test('[plugin.start-stop] a service gets the deps and the signal', async () => {
  const registry = new ServiceRegistry()
  let given: unknown[] = []
  registry.register(
    service('a', 1, [], {
      start: async (...args) => {
        given = args
      },
    }),
  )
  const { signal } = new AbortController()
  await registry.start(deps, signal)
  assert.deepEqual(given, [deps, signal])
})

test('a second start is refused, and leaves the running services alone', async () => {
  const calls: string[] = []
  const registry = new ServiceRegistry()
  registry.register(service('a', 1, calls))
  await registry.start(deps)
  await assert.rejects(registry.start(deps), { code: 'REGISTRY_STARTED' })
  assert.deepEqual(calls, ['start a'])
  await registry.stop()
  await registry.start(deps)
  assert.deepEqual(calls, ['start a', 'stop a', 'start a'])
})
