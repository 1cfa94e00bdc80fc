import { cutPower } from './power-cut.js'
import type { Row } from './row.js'

/** Power cuts of ext4. */
export const row: Row = {
  needs: ['linux', 'root', 'loop', 'python', 'ext4'],
  ci: 100,
  record: 500,
  run: context => cutPower('ext4', context),
}
