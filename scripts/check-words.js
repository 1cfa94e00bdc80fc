// Checks the words of comments, docs and messages: `npm run words`, or `npm run words -- <text in the path> ...`.
// A sentence names its subject first, so none may begin with a word of BEGINNINGS. A message says "is not a",
// never "is no" or "is none" ("there is no" is fine). Prints each offender and the counts; exits with 1 if there are any.
// Questions are allowed (they end in "?"), and so is all code: fences, backquotes, tables of generated pages.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

const BEGINNINGS = /^(What|Of|Where|Whoever|Those|So many)\b(?!.*\?\W*$)/
const MESSAGE = /(?<!\bthere )\bis (none\b|no )/

const counts = {
  comments: { all: 0, found: 0 },
  docs: { all: 0, found: 0 },
  messages: { all: 0, found: 0 },
}
const wanted = process.argv.slice(2)
const listed = execFileSync('git', ['ls-files', '*.ts', '*.js', '*.md'], { encoding: 'utf8' })
  .trim()
  .split('\n')
for (const path of listed) {
  if (!existsSync(path) || path.startsWith('docs/api/')) continue
  if (wanted.length > 0 && !wanted.some(text => path.includes(text))) continue
  const source = readFileSync(path, 'utf8')
  if (path.endsWith('.md')) {
    check(path, 'docs', paragraphs(source).flatMap(sentences), BEGINNINGS)
    continue
  }
  const { comments, strings } = readTokens(source)
  check(path, 'comments', comments.flatMap(sentences), BEGINNINGS)
  check(path, 'messages', strings, MESSAGE)
}
for (const [kind, { all, found }] of Object.entries(counts)) console.log(`${kind}: ${found} of ${all}`)
process.exitCode = Object.values(counts).some(({ found }) => found > 0) ? 1 : 0

function check(path, kind, texts, forbidden) {
  counts[kind].all += texts.length
  for (const { line, text } of texts) {
    if (!forbidden.test(text)) continue
    counts[kind].found++
    console.log(`${path}:${line}: ${text}`)
  }
}

/** Splits a text at ends of sentences, list items, empty lines and tags such as `@throws`. */
function sentences({ line, text }) {
  const found = []
  let at = 0
  for (const part of text.split(
    /((?<=[.!?][)"'`]*)\s+(?=[A-Z`"'({[])|\n\s*\n|\n\s*(?:[-*]|\d+\.)\s|(?:^|\s)@\w+)/,
  )) {
    const trimmed = part.trim()
    const start = text.slice(0, at + part.search(/\S|$/))
    if (/^[^@]*[A-Za-z]{2}/.test(trimmed)) {
      found.push({ line: line + start.split('\n').length - 1, text: trimmed.replace(/\s+/g, ' ') })
    }
    at += part.length
  }
  return found
}

/** The prose of a Markdown page: headings, paragraphs, cells of tables; without code and generated blocks. */
function paragraphs(page) {
  const blank = text => text.replace(/[^\n]/g, ' ')
  const prose = page
    .replace(/^```.*?^```/gms, blank)
    .replace(/<!-- (\w+): .*?<!-- \/\1 -->/gs, blank)
    .replace(/^\|.*$/gm, row => (page.startsWith('<!-- Generated') ? blank(row) : row))
  const texts = []
  let continues = false
  for (const [index, line] of prose.split('\n').entries()) {
    const isText = /^\s*[^#|<\s]/.test(line)
    if (isText && continues) texts.at(-1).text += `\n${line}`
    else
      for (const text of line.split('|'))
        texts.push({ line: index + 1, text: text.replace(/^\s*(#+|>)\s/, '') })
    continues = isText
  }
  return texts
}

/** The comments (lines of `//` in a row are one) and the strings of a source in TypeScript or JavaScript. */
function readTokens(source) {
  const token =
    /\/\/.*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|(?<=(?:[(,=:[!&|?{};\n]|=>|return)\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/|[`{}]/g
  const comments = []
  const strings = []
  const open = [] // braces and templates that are open
  let lineEnd = -2
  for (let match = token.exec(source); match !== null; match = token.exec(source)) {
    let [text] = match
    const line = source.slice(0, match.index).split('\n').length
    if (text.startsWith('//')) {
      const plain = { line, text: text.replace(/^\/\/+ ?/, '') }
      const isAlone = /\n\s*$/.test(source.slice(0, match.index))
      if (isAlone && line === lineEnd + 1) comments.at(-1).text += `\n${plain.text}`
      else comments.push(plain)
      lineEnd = line
    } else if (text.startsWith('/*')) {
      comments.push({
        line,
        text: text
          .slice(2, -2)
          .replace(/^\*/, ' ')
          .replace(/^[ \t]*\* ?/gm, ''),
      })
    } else if (text === '{') {
      open.push('{')
    } else if (text === '`' || (text === '}' && open.pop() === '`')) {
      text = /^(?:\\[\s\S]|(?!\$\{)[^`\\])*/.exec(source.slice(match.index + 1))[0]
      strings.push({ line, text })
      token.lastIndex = match.index + 1 + text.length + 1
      if (source[token.lastIndex - 1] === '$') {
        open.push('`')
        token.lastIndex++
      }
    } else if (/^['"]/.test(text)) {
      strings.push({ line, text: text.slice(1, -1) })
    }
  }
  return { comments, strings }
}
