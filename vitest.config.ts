import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

/** The CommonJS builds that Node would choose come without gradients. */
const moduleBuild = (name: string): { find: RegExp; replacement: string } => ({
  find: new RegExp(`^@tensorflow/${name}$`),
  replacement: fileURLToPath(new URL(`node_modules/@tensorflow/${name}/dist/index.js`, import.meta.url))
})

export default defineConfig({
  plugins: [svelte()],
  resolve: { alias: [moduleBuild('tfjs-core'), moduleBuild('tfjs-backend-cpu')] },
  test: {
    include: ['tests/{unit,integration}/**/*.test.ts'],
    server: { deps: { inline: [/@tensorflow\/tfjs-(core|backend-cpu)/] } },
    testTimeout: 60_000,
    hookTimeout: 120_000
  }
})
