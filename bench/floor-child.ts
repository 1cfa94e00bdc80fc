// Measures the file system itself. Run by `Child` with the folder to use.
import * as fs from 'node:fs'
import { join } from 'node:path'
import { serveParent } from './child.ts'

/** The repeated operation. The reply is its rate per second or, for copies, megabytes (10^6) per second. */
export interface FloorRequest {
  readonly do:
    | 'create'
    | 'create-fdatasync'
    | 'append-fdatasync'
    | 'create-fsync-folder'
    | 'copy'
    | 'copy-fdatasync'
  readonly ms: number
  /** No more than so often. */
  readonly most: number
  /** Bytes of the file that is copied. */
  readonly size?: number
}

const { dir } = JSON.parse(process.argv[2] ?? '{}') as { dir: string }
const SMALL = Buffer.alloc(300, 'x')
let made = 0

const OPERATIONS: Record<FloorRequest['do'], (path: string, source: string) => void> = {
  create: path => create(path),
  'create-fdatasync': path => create(path, fs.fdatasyncSync),
  'append-fdatasync': () => syncAppended(),
  'create-fsync-folder'(path) {
    create(path)
    const folder = fs.openSync(dir, 'r')
    fs.fsyncSync(folder)
    fs.closeSync(folder)
  },
  copy: (path, source) => fs.copyFileSync(source, path),
  'copy-fdatasync'(path, source) {
    fs.copyFileSync(source, path)
    const copy = fs.openSync(path, 'r+')
    fs.fdatasyncSync(copy)
    fs.closeSync(copy)
  },
}

serveParent<FloorRequest>(undefined, request => {
  const source = request.size === undefined ? '' : sourceOf(request.size)
  const operation = OPERATIONS[request.do]
  const paths: string[] = []
  const startedAt = performance.now()
  while (paths.length < request.most && (paths.length === 0 || performance.now() - startedAt < request.ms)) {
    const path = join(dir, `file-${++made}`)
    operation(path, source)
    paths.push(path)
  }
  const seconds = (performance.now() - startedAt) / 1000
  if (request.size !== undefined) for (const path of paths) fs.rmSync(path)
  const each = request.size === undefined ? 1 : request.size / 1e6
  return (each * paths.length) / seconds
})

function create(path: string, sync?: (file: number) => void): void {
  const temporary = `${path}.tmp`
  const file = fs.openSync(temporary, 'wx', 0o600)
  fs.writeSync(file, SMALL)
  sync?.(file)
  fs.closeSync(file)
  fs.renameSync(temporary, path)
}

let log: number | undefined
function syncAppended(): void {
  log ??= fs.openSync(join(dir, 'log'), 'a')
  fs.writeSync(log, SMALL)
  fs.fdatasyncSync(log)
}

/** A file of `size` bytes, made once. */
function sourceOf(size: number): string {
  const path = join(dir, `source-${size}`)
  if (fs.existsSync(path)) return path
  const file = fs.openSync(path, 'wx')
  const piece = Buffer.alloc(1024 * 1024, 'file data ')
  for (let left = size; left > 0; left -= piece.length)
    fs.writeSync(file, piece, 0, Math.min(left, piece.length))
  fs.closeSync(file)
  return path
}
