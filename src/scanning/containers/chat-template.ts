import type { Content, ScanContext } from '../scan-context.js';

const MAX_TEMPLATE_BYTES = 4 * 2 ** 20;
/** What leads from a value of a Jinja template to Python's own insides. No template of a conversation has it. */
const ESCAPES =
  /__\w+__|\|\s*attr\b|\battr\s*\(|\\x5f|\\u005f|\b(lipsum|cycler|joiner|self|request|config)\s*(\.|\[)|\b(os|subprocess)\.|\.\s*(mro|gi_frame|f_globals|popen|system)\b/;

/** Reports a template that reaches out of its sandbox. */
export function checkTemplate(template: string, path: string, context: ScanContext): void {
  for (const [code] of template.matchAll(/\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\}/g)) {
    const found = ESCAPES.exec(code)?.[0];
    if (found === undefined) continue;
    context.report({
      level: 'dangerous',
      rule: 'template-code',
      file: path,
      says: `has a chat template that reaches for Python's insides: ${JSON.stringify(found.slice(0, 40))}`,
    });
    return;
  }
}

/** Looks at a Jinja file, or at the chat template in a JSON of a tokenizer. */
export function scanTemplates(content: Content, context: ScanContext): void {
  const { source, path } = content;
  if (source.sizeBytes > MAX_TEMPLATE_BYTES) return;
  const isJinja = /\.(jinja2?|j2)$/i.test(path);
  if (!isJinja && !/\.json$/i.test(path)) return;
  const text = source.read(0, source.sizeBytes).toString('utf8');
  if (isJinja) return checkTemplate(text, path, context);
  if (!text.includes('chat_template') && !text.includes('\\u')) return;
  try {
    for (const template of templatesIn(JSON.parse(text), 0)) checkTemplate(template, path, context);
  } catch {
    // No JSON, so no template that a loader finds.
  }
}

function* templatesIn(json: unknown, depth: number): Generator<string> {
  if (typeof json !== 'object' || json === null || depth > 16) return;
  for (const [key, value] of Object.entries(json)) {
    if (typeof value === 'string' && (key === 'chat_template' || key === 'template')) yield value;
    else yield* templatesIn(value, depth + 1);
  }
}
