import svelte from 'eslint-plugin-svelte'
import globals from 'globals'
import ts from 'typescript-eslint'
import svelteConfig from './svelte.config.js'

/** The lint rules of TypeScript and Svelte files. */
export default ts.config(
  { ignores: ['out/', '.runtime/', 'demo/', 'node_modules/'] },
  ...ts.configs.strict,
  ...ts.configs.stylistic,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-empty-function': 'off',
      'no-empty': ['error', { allowEmptyCatch: false }],
      'svelte/no-navigation-without-resolve': 'off'
    }
  },
  {
    files: ['src-main/**/*.ts', 'src-renderer/**/*.ts', 'tests/**/*.ts'],
    languageOptions: { parserOptions: { projectService: true } },
    rules: { '@typescript-eslint/no-floating-promises': 'error' }
  },
  { files: ['src-main/**/*.ts', 'src-renderer/**/*.ts'], rules: { complexity: ['error', 30] } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } }
  },
  { files: ['resources/setup/walls.cjs'], rules: { '@typescript-eslint/no-require-imports': 'off' } }
)
