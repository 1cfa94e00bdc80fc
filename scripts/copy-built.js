// A copy of the compiled project that may be changed: its packages, and what else is named.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** The library's compiled files, from the folder of the project. */
export const LIBRARY = 'packages/dataexchange/dist'

/** Copies package.json, the compiled packages and `paths` to a new temporary folder, and returns that. */
export function copyBuilt(prefix, paths) {
  const copy = mkdtempSync(join(tmpdir(), prefix))
  const packages = ['dataexchange', 'pilot-dx'].flatMap(name => [
    `packages/${name}/package.json`,
    `packages/${name}/dist`,
  ])
  for (const path of ['package.json', ...packages, ...paths]) {
    cpSync(path, join(copy, path), { recursive: true })
  }
  // The packages are found in the copy, and everything else in the project.
  mkdirSync(join(copy, 'node_modules'))
  for (const name of readdirSync('node_modules')) {
    symlinkSync(OURS[name] ?? resolve('node_modules', name), join(copy, 'node_modules', name))
  }
  return copy
}

const OURS = { 'pilot-dataexchange': '../packages/dataexchange', 'pilot-dx': '../packages/pilot-dx' }
