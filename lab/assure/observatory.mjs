// Grades recorded answers by the tests and the grader of Mozilla's HTTP Observatory, which itself only asks addresses of
// the net: node observatory.mjs FOLDER_OF_THE_PACKAGE ANSWERS.json > GRADES.json
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, answers] = process.argv.slice(2);
const ours = (name) => import(pathToFileURL(join(folder, "src", name)).href);
const require = createRequire(join(folder, "package.json"));
const { Requests } = await ours("types.js");
const { ALL_TESTS } = await ours("constants.js");
const { MINIMUM_SCORE_FOR_EXTRA_CREDIT } = await ours("grader/charts.js");
const { getGradeForScore, getScoreModifier } = await ours("grader/grader.js");
const { parseHttpEquivHeaders } = await ours("retriever/utils.js");
const { AxiosHeaders } = require("axios");
const { CookieJar } = require("tough-cookie");

const headersOf = (given) => new AxiosHeaders(Object.fromEntries(given));

function grade(page) {
  const url = new URL(page.url);
  const found = new Requests(url.hostname);
  const response = (status, headers) => ({
    status, headers: headersOf(headers), request: { headers: new AxiosHeaders() }, verified: true, data: "",
    config: { headers: new AxiosHeaders() },
  });
  const auto = response(page.status, page.headers);
  if (page.cookies.length) auto.headers.set("set-cookie", page.cookies);
  auto.httpEquiv = parseHttpEquivHeaders(page.body, page.url);
  const jar = new CookieJar();
  for (const cookie of page.cookies) jar.setCookieSync(cookie, page.url);
  found.resources.path = page.body;
  found.session = { url, jar };
  Object.assign(found.responses, {
    auto, https: auto, http: auto, cors: response(page.cors.status, page.cors.headers),
    httpRedirects: page.redirects.map((one) => ({ url: new URL(one.url), status: one.status })),
    httpsRedirects: [{ url, status: page.status }],
  });
  const results = ALL_TESTS.map((test) => test(found)).filter((one) => one.result);
  const modifiers = results.map((one) => getScoreModifier(one.result));
  const plain = 100 + modifiers.filter((one) => one < 0).reduce((sum, one) => sum + one, 0);
  const all = 100 + modifiers.reduce((sum, one) => sum + one, 0);
  const final = getGradeForScore(plain >= MINIMUM_SCORE_FOR_EXTRA_CREDIT ? all : plain);
  return {
    name: page.name, grade: final.grade, score: final.score, passed: results.filter((one) => one.pass).length,
    of: results.length, failed: results.filter((one) => !one.pass).map((one) => one.result),
  };
}

const pages = JSON.parse(readFileSync(answers, "utf8"));
process.stdout.write(JSON.stringify(pages.map(grade)));
