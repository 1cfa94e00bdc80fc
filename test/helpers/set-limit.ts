import type { TestContext } from 'node:test'
import { LIMITS, type LimitName } from '#lib/limits.js'

/** Another value of a limit, until the test is over. */
export function setLimit(t: TestContext, name: LimitName, value: number): void {
  const limit = LIMITS[name] as { value: number }
  const before = limit.value
  limit.value = value
  t.after(() => {
    limit.value = before
  })
}
