// Makes the outlines that maps of reports are drawn from: `npm ci && npm run make` in this folder. `--check` compares, byte by byte.
//
// States are those of the U.S. Census Bureau (cartographic boundaries, 2017), countries those of Natural Earth (1:50 million, version 4.1);
// both are in the public domain. Each is projected, simplified with its neighbours so that borders still meet, and put on a grid of whole
// numbers. A region is a list of rings; a ring is its first point and then the steps from each point to the next. Countries are called as
// the Unicode Common Locale Data Repository calls them in English.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { geoArea, geoCentroid, geoEqualEarth, geoIdentity, geoMercator, geoPath } from "d3-geo";
import { geoProject } from "d3-geo-projection";
import { feature } from "topojson-client";
import { topology } from "topojson-server";
import { presimplify, simplify } from "topojson-simplify";

const here = dirname(fileURLToPath(import.meta.url));
const target = resolve(here, "../../analytics/charts/outlines.json");
const require = createRequire(import.meta.url);
const read = (name) => JSON.parse(readFileSync(require.resolve(name), "utf8"));

const GRID = 4; // steps of the grid for one unit of a drawing
const STATES = { AL: "01", AK: "02", AZ: "04", AR: "05", CA: "06", CO: "08", CT: "09", DE: "10", DC: "11", FL: "12", GA: "13", HI: "15", ID: "16",
  IL: "17", IN: "18", IA: "19", KS: "20", KY: "21", LA: "22", ME: "23", MD: "24", MA: "25", MI: "26", MN: "27", MS: "28", MO: "29", MT: "30",
  NE: "31", NV: "32", NH: "33", NJ: "34", NM: "35", NY: "36", NC: "37", ND: "38", OH: "39", OK: "40", OR: "41", PA: "42", RI: "44", SC: "45",
  SD: "46", TN: "47", TX: "48", UT: "49", VT: "50", VA: "51", WA: "53", WV: "54", WI: "55", WY: "56", PR: "72" };
// Natural Earth gives no number to these; what has none otherwise is left out.
const NAMED = { Kosovo: "XK", Somaliland: "SO", "N. Cyprus": "CY" };
// Parts of France that have telephone codes of their own, by a place in them.
const APART = { GF: [-53, 4], GP: [-61.5, 16.2], MQ: [-61, 14.6], RE: [55.5, -21.1], YT: [45.1, -12.8] };

const rings = (geometry) => (geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates);
const size = (ring) => Math.abs(ring.reduce((sum, [x, y], i) => { const [u, v] = ring[(i + 1) % ring.length]; return sum + x * v - u * y; }, 0)) / 2;

/** Features of one code each, from drawings' units to rings on the grid; islands smaller than `least` are left out where there is more. */
function outlined(features, { least, weight, names }) {
  const topo = topology({ all: { type: "FeatureCollection", features } }, 1e5);
  const simple = feature(simplify(presimplify(topo), weight), topo.objects.all);
  const found = {};
  const flat = geoPath(geoIdentity());
  for (const one of simple.features.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const whole = features.find((other) => other.id === one.id);
    const polygons = rings(one.geometry).sort((a, b) => size(b[0]) - size(a[0]));
    const kept = polygons.filter((polygon, place) => place === 0 || size(polygon[0]) >= least);
    // The middle of the largest part, of what it was before it was simplified.
    const largest = rings(whole.geometry).sort((a, b) => size(b[0]) - size(a[0]))[0];
    const middle = flat.centroid({ type: "Polygon", coordinates: largest });
    const lines = kept.flatMap((polygon) => polygon.map(stepped)).filter((ring) => ring.length >= 6);
    found[one.id] = { ...(names ? { name: names.of(one.id) } : {}), at: middle.map((n) => Math.round(n * GRID)), size: Math.round(size(largest[0])), rings: lines };
  }
  return found;
}

function stepped(ring) {
  const points = ring.slice(0, -1).map((point) => point.map((n) => Math.round(n * GRID))).filter(([x, y], i, all) => !i || x !== all[i - 1][0] || y !== all[i - 1][1]);
  return points.flatMap(([x, y], i) => (i ? [x - points[i - 1][0], y - points[i - 1][1]] : [x, y]));
}

function states() {
  const flat = read("us-atlas/states-albers-10m.json");
  const codes = Object.fromEntries(Object.entries(STATES).map(([code, number]) => [number, code]));
  const shift = ([x, y]) => [x * 1.018 + 59.5, y * 1.02 + 1];
  const features = feature(flat, flat.objects.states).features.filter((one) => codes[one.id]).map((one) => ({
    type: "Feature", id: codes[one.id], properties: {},
    geometry: { type: "MultiPolygon", coordinates: rings(one.geometry).map((polygon) => polygon.map((ring) => ring.map(shift))) },
  }));
  // Puerto Rico lies beyond the picture and is set beside Florida, as Alaska and Hawaii are beside the west.
  const round = read("us-atlas/states-10m.json");
  const island = feature(round, round.objects.states).features.find((one) => one.id === STATES.PR);
  features.push({ ...geoProject(island, geoMercator().fitExtent([[935, 575], [1010, 612]], island)), id: "PR" });
  return { width: 1040, height: 630, regions: outlined(features, { least: 3, weight: 0.5 }) };
}

function countries() {
  const world = read("world-atlas/countries-50m.json");
  const found = new Map();
  const add = (code, polygon) => found.set(code, [...(found.get(code) ?? []), polygon]);
  for (const one of feature(world, world.objects.countries).features) {
    const numbered = /^\d{3}$/.test(one.id ?? "") ? new Intl.Locale(`und-${one.id}`).region : undefined;
    const code = NAMED[one.properties.name] ?? numbered;
    if (!code || code === "AQ") continue;
    for (const polygon of rings(one.geometry)) {
      const [x, y] = geoCentroid({ type: "Polygon", coordinates: polygon });
      const apart = code === "FR" && Object.entries(APART).find(([, [u, v]]) => Math.hypot(u - x, v - y) < 3);
      add(apart ? apart[0] : code, polygon);
    }
  }
  const shapes = [...found].map(([id, coordinates]) => ({ type: "Feature", id, properties: {}, geometry: { type: "MultiPolygon", coordinates } }));
  const all = { type: "FeatureCollection", features: shapes };
  const projection = geoEqualEarth().rotate([-11, 0]).fitWidth(1040, all);
  const flat = geoProject(all, projection).features.filter((one) => one.geometry);
  const bottom = Math.max(...flat.flatMap((one) => rings(one.geometry).flat(2).map(([, y]) => y)));
  return { width: 1040, height: Math.ceil(bottom), regions: outlined(flat, { least: 1.2, weight: 0.8, names: new Intl.DisplayNames(["en"], { type: "region" }) }) };
}

const made = { grid: GRID, states: states(), countries: countries() };
// A line for each region, so that a change of one is seen as one.
const maps = ["states", "countries"].map((name) => {
  const { width, height, regions } = made[name];
  const lines = Object.entries(regions).map(([code, region]) => `${JSON.stringify(code)}:${JSON.stringify(region)}`);
  return `${JSON.stringify(name)}:{"width":${width},"height":${height},"regions":{\n${lines.join(",\n")}\n}}`;
});
const text = `{"grid":${GRID},\n${maps.join(",\n")}}\n`;
if (process.argv.includes("--check")) {
  const same = readFileSync(target, "utf8") === text;
  console.log(same ? "analytics/charts/outlines.json is what this folder makes." : "analytics/charts/outlines.json is not what this folder makes: npm run make");
  process.exit(same ? 0 : 1);
}
writeFileSync(target, text);
console.log(`${Object.keys(made.states.regions).length} states, ${Object.keys(made.countries.regions).length} countries, ${text.length} bytes`);
