import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

/** How {@link spawnNode} runs a script. */
export interface SpawnOptions {
  args?: string[]
  /** Variables on top of this process's own. */
  env?: Record<string, string>
  /** Options of Node itself. */
  flags?: string[]
}

/** A child, and the first line that it printed. */
export interface Spawned {
  child: ChildProcess
  line: string
}

/** Runs a compiled script of this folder; resolves to the child and the first line that it prints. */
export function spawnLine(t: TestContext, script: string, ...args: string[]): Promise<Spawned> {
  return spawnNode(t, script, { args })
}

/** As {@link spawnLine}, with an environment and options of Node. The child is killed after the test. */
export async function spawnNode(
  t: TestContext,
  script: string,
  { args = [], env = {}, flags = [] }: SpawnOptions,
): Promise<Spawned> {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = spawn(process.execPath, [...flags, path, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  t.after(() => child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stdout })) return { child, line }
  throw new Error(`${script} ended without a word`)
}
