/**
 * Writes `docs/command-line.md` from the commands themselves, so that the page and `smalti --help` never differ.
 *
 *   node resources/setup/reference.mjs            writes the page
 *   node resources/setup/reference.mjs --check    fails if the page is out of date
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const root = fileURLToPath(new URL('../..', import.meta.url))
const PAGE = 'docs/command-line.md'
const path = `${root}${PAGE}`

const INTRODUCTION = `# Command line

For people who work in a terminal or write scripts. The [guide](guide.md) shows which command to use when.

<!-- Made from the commands themselves: npm run docs -->

- \`smalti --help\` lists the commands. \`smalti COMMAND --help\` explains one.
- From a clone, write \`npx smalti\` instead of \`smalti\`.
- *Images* are folders, files, or URLs of cloud-optimised GeoTIFFs (\`https://…/scene.tif\`). Folders include their
  subfolders. Smalti downloads only the parts of a URL that it needs.
- \`--json\` works with every command and prints the result as one JSON object, on the last line of standard output.
- Progress and errors go to standard error.

| exit code | meaning |
|---|---|
| 0 | finished |
| 1 | failed |
| 2 | wrong usage or input |
| 130 | interrupted |
`

/** Everything that a line of a table would take for its own syntax. */
const cell = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ')
const code = (text) => `\`${text.replaceAll('|', '\\|')}\``
const table = (head, rows) =>
  rows.length === 0
    ? ''
    : `| ${head.join(' | ')} |\n|---|---|\n${rows.map((row) => `| ${row.join(' | ')} |\n`).join('')}\n`
const capitalised = (text) => text.charAt(0).toUpperCase() + text.slice(1)
const anchor = (name) => `#smalti-${name}`

/** Returns what `--help` prints after the options: titled lists of examples, formats or methods. */
function textAfterOptions(command) {
  let printed = ''
  command.configureOutput({ writeOut: (text) => (printed += text) }).outputHelp()
  return printed.slice(command.helpInformation().length)
}

function sections(text) {
  return [...text.matchAll(/^(\S[^\n]*):\n((?: {2}[^\n]*\n?)+)/gm)]
    .map(([, title, body]) => {
      const lines = body.trimEnd().split('\n')
      if (lines.every((line) => line.startsWith('  $ ')))
        return `\`\`\`sh\n${lines.map((line) => line.slice(4)).join('\n')}\n\`\`\`\n\n`
      const rows = lines.map((line) => /^ *(\S+) +(.*)$/.exec(line)).map(([, name, note]) => [code(name), cell(note)])
      return table([title.toLowerCase().replace(/s$/, ''), 'meaning'], rows)
    })
    .join('')
}

/** Returns an option's description with its choices and its default. */
function meaning({ description, argChoices, defaultValue }) {
  const notes = [
    ...(description ? [description] : []),
    ...(argChoices ? [`one of ${argChoices.join(', ')}`] : []),
    ...(defaultValue === undefined || defaultValue === false ? [] : [`default: ${defaultValue}`])
  ]
  return notes.map((note) => `${capitalised(note).replace(/\.$/, '')}.`).join(' ')
}

function describe(command) {
  const help = command.createHelp()
  const rows = [
    ...command.registeredArguments
      .filter(({ description }) => description)
      .map((argument) => [code(help.argumentTerm(argument)), cell(meaning(argument))]),
    ...command.options
      .filter(({ hidden, long }) => !hidden && long !== '--json')
      .map((option) => [`${code(option.flags)}${option.mandatory ? ' (required)' : ''}`, cell(meaning(option))])
  ]
  const usage = `\`\`\`\n${help.commandUsage(command)}\n\`\`\`\n\n`
  const sentence = `${capitalised(command.description()).replace(/\.$/, '')}.\n\n`
  const body = table(['option', 'meaning'], rows) + sections(textAfterOptions(command))
  return `## smalti ${command.name()}\n\n${sentence}${usage}${body}`
}

// The signal handlers of the command line come with it; they end with this process.
const { module } = await runnerImport(`${root}src-main/cli/commandLine.ts`, {
  root,
  configFile: false,
  logLevel: 'error'
})
const commands = module.program.commands
const overview = table(
  ['command', 'what it does'],
  commands.map((command) => [`[${command.name()}](${anchor(command.name())})`, cell(command.description())])
)
const page = `${[INTRODUCTION, overview, ...commands.map(describe)].map((part) => part.trimEnd()).join('\n\n')}\n`

if (!process.argv.includes('--check')) {
  writeFileSync(path, page)
} else if (!existsSync(path) || readFileSync(path, 'utf8') !== page) {
  console.error(`${PAGE} is out of date. Run "npm run docs" and commit the result.`)
  process.exitCode = 1
}
