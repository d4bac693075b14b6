// Samples of typescript.yaml: `ruleid` stands over what must be found, `ok` over what must not.
// ruleid: no-code-from-text
eval(text);
// ruleid: no-code-from-text
const made = new Function('a', text);
// ruleid: no-code-from-text
vm.runInNewContext(text, {});
// ok: no-code-from-text
const evaluated = evaluate(text);

// ruleid: no-shell
exec(`ls ${folder}`);
// ruleid: no-shell
child_process.execSync('ls');
// ruleid: no-shell
spawn('ls', [folder], { cwd: folder, shell: true });
// ok: no-shell
spawn('ls', [folder], { cwd: folder });
// ok: no-shell
const found = /a/.exec(text);

// ruleid: no-tls-without-verification
const agent = new Agent({ connect: { timeout: 1, rejectUnauthorized: false } });
// ruleid: no-tls-without-verification
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
// ok: no-tls-without-verification
const strict = new Agent({ connect: { rejectUnauthorized: true } });

// ruleid: no-lenient-http
const server = createServer({ insecureHTTPParser: true }, handler);
// ok: no-lenient-http
const careful = createServer({ insecureHTTPParser: false }, handler);

// ruleid: no-weak-random
const token = Math.random().toString(36);
// ok: no-weak-random
const secret = randomBytes(32).toString('hex');

// ruleid: no-weak-hash
const digest = createHash('sha1').update(body).digest('hex');
// ok: no-weak-hash
const good = createHash('sha256').update(body).digest('hex');

// ruleid: no-whole-environment
spawn(python, args, { cwd: folder, env: process.env });
// ok: no-whole-environment
spawn(python, args, { cwd: folder, env: { PATH: process.env.PATH } });

// ruleid: no-prototype-from-input
Object.assign(settings, JSON.parse(text));
// ruleid: no-prototype-from-input
const merged = { ...JSON.parse(text) };
// ok: no-prototype-from-input
const read = schema.parse(JSON.parse(text));

// ruleid: no-unbounded-yaml
const document = parseDocument(text);
// ok: no-unbounded-yaml
const bounded = parseYaml(text);

function serveFile(request: IncomingRequest) {
  const name = request.header('x-file');
  // ruleid: client-words-stay-out-of-paths-and-programs
  return readFileSync(join(folder, name));
}

function serveNamed(request: IncomingRequest) {
  const name = basename(request.header('x-file'));
  // ok: client-words-stay-out-of-paths-and-programs
  return readFileSync(join(folder, name));
}

function matching(request: IncomingRequest) {
  // ruleid: client-words-stay-out-of-paths-and-programs
  return new RegExp(request.query.get('pattern'));
}
