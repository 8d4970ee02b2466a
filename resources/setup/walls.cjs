/** Which room may import which; `npm run check` enforces it. */
const room = (name) => `^src-main/${name}/`
const others = (...allowed) => `^src-main/(?!(${allowed.join('|')})/)`
const rule = (name, from, to, comment) => ({ name, severity: 'error', comment, from: { path: from }, to: { path: to } })

/** The rooms that each room may import, besides itself and `contract`. */
const ROOMS = {
  contract: [],
  backends: [],
  learning: ['backends', 'classes'],
  // Tiled copies are written and locked like the rest of a project.
  imagery: ['project'],
  segmentation: ['backends', 'imagery', 'learning'],
  classes: [],
  evaluation: [],
  labels: ['imagery', 'project', 'classes'],
  export: ['project', 'classes', 'labels', 'imagery'],
  project: ['classes'],
  engine: ['backends', 'learning', 'imagery', 'segmentation', 'labels', 'classes', 'evaluation', 'export', 'project'],
  cli: ['learning', 'engine', 'imagery', 'labels'],
  shell: ['cli']
}

module.exports = {
  forbidden: [
    { name: 'no cycles', severity: 'error', from: {}, to: { circular: true } },
    ...Object.entries(ROOMS).map(([name, allowed]) =>
      rule(
        `walls of ${name}`,
        room(name),
        others(...new Set([name, ...allowed, ...(name === 'contract' ? [] : ['contract'])])),
        'see resources/setup/walls.cjs'
      )
    ),
    rule(
      'the window asks through the contract',
      '^src-renderer/',
      '^src-main/(?!(contract|classes|evaluation)/)',
      'the renderer computes nothing itself; only the pure functions of classes and evaluation let it show an edit at once'
    ),
    {
      name: 'electron stays in the shell',
      severity: 'error',
      from: { path: '^src-main/(?!shell/)' },
      to: { path: '^(node_modules/)?electron(/|$)' }
    },
    {
      name: 'tensors stay out of files',
      severity: 'error',
      from: { path: '^src-main/(imagery|labels|project|export|classes|evaluation|shell|cli|contract)/' },
      to: { path: '@tensorflow|onnxruntime' }
    },
    { name: 'nothing imports the tests', severity: 'error', from: { path: '^src-' }, to: { path: '^tests/' } },
    { name: 'every import resolves', severity: 'error', from: {}, to: { couldNotResolve: true } }
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'svelte'],
      extensions: ['.ts', '.js', '.mjs', '.svelte']
    }
  }
}
