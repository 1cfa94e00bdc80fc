// Installs the original's programs with pip, each version in a virtual environment of its own under build/original.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'

/**
 * The folder with pilotctl and pilot-daemon of `version` of the PyPI package `pilotprotocol`. Installs it first if it is
 * missing. Throws if pip fails.
 */
export function installOriginal(version) {
  const folder = resolve('build', 'original', version)
  const found = programsIn(folder)
  if (found !== undefined) return found
  rmSync(folder, { recursive: true, force: true })
  run('python3', ['-m', 'venv', folder])
  run(join(folder, 'bin', 'pip'), ['install', '--quiet', `pilotprotocol==${version}`])
  const installed = programsIn(folder)
  if (installed === undefined) throw new Error(`pilotprotocol ${version} has no pilotctl and pilot-daemon`)
  return installed
}

function programsIn(folder) {
  const lib = join(folder, 'lib')
  if (!existsSync(lib)) return undefined
  return readdirSync(lib)
    .map(python => join(lib, python, 'site-packages', 'pilotprotocol', 'bin'))
    .find(bin => ['pilotctl', 'pilot-daemon'].every(name => existsSync(join(bin, name))))
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', timeout: 5 * 60_000 })
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? `exit code ${status}`}`)
}
