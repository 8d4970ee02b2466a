import { fileURLToPath } from 'node:url'

/** The CommonJS builds that Node would choose come without gradients; these aliases take the module builds. */
export const tensorflowModules = ['tfjs-core', 'tfjs-backend-cpu'].map((name) => ({
  find: new RegExp(`^@tensorflow/${name}$`),
  replacement: fileURLToPath(new URL(`../../node_modules/@tensorflow/${name}/dist/index.js`, import.meta.url))
}))
