// Helpers of the scripts that write figures into pages of docs/.
import { readFileSync, writeFileSync } from 'node:fs'

/** A table in Markdown. */
export function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |`).join('\n')
}

/** Puts what `blocks[name]()` gives between `<!-- mark: name -->` and `<!-- /mark -->` on the page at `path`. */
export function fillPage(path, mark, blocks) {
  const marked = new RegExp(`<!-- ${mark}: (\\S+) -->\\n.*?<!-- /${mark} -->`, 'gs')
  const written = readFileSync(path, 'utf8').replace(marked, (_, name) => {
    const block = blocks[name]
    if (block === undefined) throw new Error(`${path} asks for ${name}, which there is not`)
    return `<!-- ${mark}: ${name} -->\n${block()}\n<!-- /${mark} -->`
  })
  writeFileSync(path, written)
}
