// Builds ai-chat.mjs: see README.md beside it.
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';

const version = name => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
const names = ['ai', '@ai-sdk/provider', '@ai-sdk/provider-utils', 'eventsource-parser', 'zod'];
const banner = [
  '/*! The chat client of the AI SDK, in one file. Generated: README.md beside it says how. Licences: LICENSES.txt.',
  ...names.map(name => ` * ${name} ${version(name)}`),
  ' */',
].join('\n');

await build({
  stdin: { contents: "export { AbstractChat, DefaultChatTransport } from 'ai';", resolveDir: '.' },
  bundle: true,
  format: 'esm',
  platform: 'browser',
  minify: true,
  legalComments: 'inline',
  banner: { js: banner },
  outfile: 'ai-chat.mjs',
  plugins: [
    {
      name: 'english-only', // zod's messages in fifty languages are four fifths of the file
      setup(build) {
        build.onResolve({ filter: /locales\/index\.js$/ }, args => ({ path: args.path, namespace: 'locales' }));
        build.onLoad({ filter: /.*/, namespace: 'locales' }, () => ({
          contents: "export { default as en } from 'zod/v4/locales/en.js';",
          resolveDir: '.',
        }));
      },
    },
  ],
});
