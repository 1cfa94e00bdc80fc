import type { TestContext } from 'node:test'
import { FIXED_LIMITS } from '#lib/limits.js'

/** Changes a limit until the test is over. */
export function setLimit(t: TestContext, name: keyof typeof FIXED_LIMITS, value: number): void {
  const limit = FIXED_LIMITS[name] as { value: number }
  const before = limit.value
  limit.value = value
  t.after(() => {
    limit.value = before
  })
}
