// Builds static/dist from static/src: `npm run build`. `--check` builds beside it and compares, byte by byte.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const src = dirname(fileURLToPath(import.meta.url));
const root = resolve(src, "../..");
const dist = join(root, "static/dist");
const modules = join(root, "node_modules");
const inter = join(modules, "@fontsource-variable/inter/files");
// What other sites load. A released version never changes: a new one is a new file (consent/channels/embed.py names it).
const embed = join(root, "static/consent/embed.v1.js");
const fonts = { "inter-latin.woff2": "inter-latin-wght-normal.woff2", "inter-latin-ext.woff2": "inter-latin-ext-wght-normal.woff2" };
const licences = { "Tailwind CSS": "tailwindcss/LICENSE",
  daisyUI: "daisyui/LICENSE", "Inter": "@fontsource-variable/inter/LICENSE" };

async function buildEmbed(outfile) {
  await esbuild.build({
    entryPoints: [join(src, "embed.js")], outfile, bundle: true, minify: true, format: "iife", target: "es2022", legalComments: "none", logLevel: "warning",
  });
}

async function build(out) {
  mkdirSync(join(out, "fonts"), { recursive: true });
  for (const [name, from] of Object.entries(fonts)) cpSync(join(inter, from), join(out, "fonts", name));
  for (const name of ["icons.svg", "pictures.svg", "mark.svg"]) cpSync(join(src, name), join(out, name));
  execFileSync(process.execPath, [join(modules, "@tailwindcss/cli/dist/index.mjs"), "-i", join(src, "app.pcss"), "-o", join(out, "app.css"), "--minify"],
    { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  await esbuild.build({
    entryPoints: ["app.js", "passkeys.js", "phone.js", "theme.js"].map((name) => join(src, name)),
    outdir: out, bundle: true, minify: true, format: "iife", target: "es2022", legalComments: "none", logLevel: "warning",
  });
  const texts = Object.entries(licences).map(([name, file]) => `${name}\n${"=".repeat(name.length)}\n${readFileSync(join(modules, file), "utf8").trim()}\n`);
  writeFileSync(join(out, "licences.txt"), texts.join("\n\n"));
}

function files(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  }).sort();
}

if (process.argv.includes("--check")) {
  const out = mkdtempSync(join(tmpdir(), "look-"));
  await build(out);
  const names = new Set([...files(out).map((f) => relative(out, f)), ...files(dist).map((f) => relative(dist, f))]);
  const same = (name) => {
    try {
      return readFileSync(join(out, name)).equals(readFileSync(join(dist, name)));
    } catch {
      return false;
    }
  };
  const stale = [...names].filter((name) => !same(name));
  await buildEmbed(join(out, "embed.js"));
  if (!readFileSync(join(out, "embed.js")).equals(readFileSync(embed))) stale.push(relative(root, embed));
  rmSync(out, { recursive: true, force: true });
  if (stale.length) {
    console.error(`static/dist is not what static/src and templates build: ${stale.join(", ")}. Run \`npm run build\` and commit static/dist.`);
    process.exit(1);
  }
  console.log(`static/dist is up to date (${names.size} files)`);
} else {
  const out = mkdtempSync(join(tmpdir(), "look-")); // built aside, then laid over: a running server never misses a file
  await build(out);
  await buildEmbed(embed);
  cpSync(out, dist, { recursive: true });
  const built = new Set(files(out).map((f) => relative(out, f)));
  for (const file of files(dist)) if (!built.has(relative(dist, file))) rmSync(file);
  rmSync(out, { recursive: true, force: true });
  for (const file of files(dist)) console.log(`${String(statSync(file).size).padStart(8)}  ${relative(root, file)}`);
}
