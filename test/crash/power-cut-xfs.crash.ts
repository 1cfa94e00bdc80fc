import { cutPower } from './power-cut.js'
import type { Row } from './row.js'

/** Power cuts of XFS. */
export const row: Row = {
  needs: ['linux', 'root', 'loop', 'python', 'xfs'],
  ci: 20,
  record: 200,
  run: context => cutPower('xfs', context),
}
