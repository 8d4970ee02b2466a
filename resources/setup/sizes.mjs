/**
 * Checks that the sources stay readable: lines, files, functions and folders have a limit. Part of `npm run check`.
 *
 * A function's own lines are those outside the functions inside it: a factory that returns an object of small functions
 * is as readable as a class, up to a limit of its own.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'

const MOST_COLUMNS = 120
const MOST_LINES = 350
const MOST_OWN_LINES = 80
const MOST_LINES_OF_FACTORY = 200
const MOST_FILES = 15

const files = ['src-main', 'src-renderer', 'tests', 'resources']
  .flatMap((folder) => readdirSync(folder, { recursive: true }).map((path) => join(folder, path)))
  .filter((path) => /\.(ts|svelte|mjs|cjs|js|py|sh|css)$/.test(path))
const faults = []

for (const path of files) {
  const text = readFileSync(path, 'utf8')
  const lines = text.trimEnd().split('\n')
  if (lines.length > MOST_LINES) faults.push(`${path} has ${lines.length} lines; divide it`)
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const texts = path.endsWith('.ts') ? linesOfTexts(source) : new Set()
  for (const [i, line] of lines.entries())
    if (line.length > MOST_COLUMNS && !texts.has(i) && !isOneLongText(line))
      faults.push(`${path}:${i + 1} has ${line.length} columns`)
  if (path.endsWith('.ts') && !path.startsWith('tests/')) checkFunctions(path, source)
}
for (const [folder, count] of countOf(files.map((path) => dirname(path)))) {
  if (count <= MOST_FILES || folder === '.') continue
  const readme = join(folder, 'README.md')
  const says = existsSync(readme) && readFileSync(readme, 'utf8').includes(`more than ${MOST_FILES} files`)
  if (!says)
    faults.push(
      `${folder} has ${count} files; divide it, or say in its README why it has more than ${MOST_FILES} files`
    )
}
if (faults.length > 0) {
  console.error(faults.join('\n'))
  process.exit(1)
}

/** A text, pattern or address that is too long for one line can't be broken without making it harder to read. */
function isOneLongText(line) {
  const rest = line.replace(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`?|\/(?:[^/\\\n]|\\.)+\/[a-z]*|https?:\S+/g, '')
  return rest.length <= MOST_COLUMNS - 20
}

/** Lines of texts that can't be broken: templates of several lines, such as a page, and long texts on one line. */
function linesOfTexts(source) {
  const texts = new Set()
  const lines = source.text.split('\n')
  const visit = (node) => {
    if (ts.isTemplateExpression(node) || ts.isLiteralExpression(node)) {
      const [first, last] = [node.getStart(source), node.end].map((at) => source.getLineAndCharacterOfPosition(at).line)
      if (first < last) for (let line = first; line <= last; line++) texts.add(line)
      else if (lines[first].length - (node.end - node.getStart(source)) < MOST_COLUMNS) texts.add(first)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return texts
}

/** @param {string} path @param {ts.SourceFile} source */
function checkFunctions(path, source) {
  const lineOf = (at) => source.getLineAndCharacterOfPosition(at).line
  /** Lines of the functions inside a node, and checks each of them. */
  const visit = (node) => {
    let inside = 0
    ts.forEachChild(node, (child) => void (inside += visit(child)))
    if (!ts.isFunctionLike(node) || !node.body) return inside
    const total = lineOf(node.end) - lineOf(node.getStart(source)) + 1
    const where = `${path}:${lineOf(node.getStart(source)) + 1}`
    if (total - inside > MOST_OWN_LINES) faults.push(`${where} is a function of ${total - inside} lines; divide it`)
    else if (total > MOST_LINES_OF_FACTORY) faults.push(`${where} is a factory of ${total} lines; divide it`)
    return total
  }
  visit(source)
}

/** @param {string[]} values */
function countOf(values) {
  const counts = new Map()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}
