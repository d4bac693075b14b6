// Runs dependency-cruiser over src/ and fails when it looked at fewer modules than there are files: with an unsupported compiler beside it, it sees none and is content.
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cruise } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';

const config = createRequire(import.meta.url)('../.dependency-cruiser.cjs');
const files = readdirSync('src', { recursive: true }).filter((name) => name.endsWith('.ts'));
const { output } = await cruise(['src'], { ruleSet: { forbidden: config.forbidden }, validate: true, ...config.options }, undefined, {
  tsConfig: extractTSConfig('tsconfig.json'),
});
const seen = new Set(output.modules.map((module) => module.source).filter((source) => source.startsWith('src/')));
for (const { rule, from, to } of output.summary.violations) console.error(`${rule.name}: ${from} → ${to}`);
if (seen.size < files.length) console.error(`dependency-cruiser saw ${seen.size} of ${files.length} files`);
if (output.summary.error > 0 || seen.size < files.length) process.exit(1);
console.log(`directions: ${seen.size} files in ${new Set([...seen].map((source) => source.split('/')[1])).size} rooms, no rule broken`);
