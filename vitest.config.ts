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
    include: ['tests/{unit,integration,e2e}/**/*.test.ts'],
    server: { deps: { inline: [/@tensorflow\/tfjs-(core|backend-cpu)/] } },
    // Training uses every core; tests beside it would only wait for each other.
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 120_000
  }
})
