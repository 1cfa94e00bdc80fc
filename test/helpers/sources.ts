import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The TypeScript files under `folder`, as paths from the repository's root. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts'))
    .map(path => join(folder, path))
    .sort()
}

/** The modules that `source` imports or exports from: the names in its import and export statements and import() calls. */
export function importsOf(source: string): string[] {
  const code = withoutComments(source)
  const statements = code.matchAll(
    /^\s*(?:import\s*|(?:import|export)\b[^'"=;()]*\bfrom\s*)['"]([^'"]+)['"]/gm,
  )
  const calls = code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)
  return [...statements, ...calls].map(([, name]) => name ?? '')
}

/** `source` with its comments blanked out; strings and templates are left as they are. */
export function withoutComments(source: string): string {
  const token = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|\/\*[\s\S]*?\*\/|\/\/.*/g
  return source.replace(token, text => (text.startsWith('/') ? ' ' : text))
}

/** `code` with its strings emptied; templates, which may hold code, are left as they are. */
export function withoutStrings(code: string): string {
  return code.replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''")
}
