export const VERTEX = `#version 300 es
uniform vec4 place;
out vec2 at;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  at = corner;
  gl_Position = vec4(mix(place.xy, place.zw, corner), 0.0, 1.0);
}`

export const PICTURE = `#version 300 es
precision highp float;
uniform sampler2D tile;
uniform vec3 look;
in vec2 at;
out vec4 colour;
void main() {
  vec4 found = texture(tile, at);
  vec3 changed = clamp((found.rgb - 0.5) * look.y + 0.5 + look.x, 0.0, 1.0);
  // Without a GPU, a power costs more than everything else.
  if (look.z != 1.0) changed = pow(changed, vec3(1.0 / look.z));
  colour = vec4(changed * found.a, found.a);
}`

export const LABEL = `#version 300 es
precision highp float;
uniform sampler2D tile;
in vec2 at;
out vec4 colour;
void main() {
  colour = vec4(texture(tile, at).r, 0.0, 0.0, 1.0);
}`

/** A polynomial fit of viridis, whose brightness rises for colour-blind viewers too. */
export const HEAT = `#version 300 es
precision highp float;
uniform sampler2D tile;
uniform float opacity;
uniform bool fades;
in vec2 at;
out vec4 colour;
vec3 viridis(float t) {
  return vec3(0.2777, 0.0054, 0.3340)
    + t * (vec3(0.1050, 1.4046, 1.3845)
    + t * (vec3(-0.3308, 0.2148, 0.0950)
    + t * (vec3(-4.6342, -5.7991, -19.3324)
    + t * (vec3(6.2282, 14.1799, 56.6905)
    + t * (vec3(4.7763, -13.7451, -65.3530)
    + t * vec3(-5.4354, 4.6458, 26.3124))))));
}
void main() {
  float stored = texture(tile, at).r * 255.0;
  if (stored > 254.5) discard;
  float probability = stored / 254.0;
  float strength = fades ? opacity * smoothstep(0.03, 0.45, probability) : opacity;
  colour = vec4(clamp(viridis(probability), 0.0, 1.0) * strength, strength);
}`

export const OVERLAY = `#version 300 es
precision highp float;
uniform sampler2D labels;
uniform sampler2D colours;
uniform sampler2D classes;
uniform float opacity;
uniform int highlighted;
uniform float dimmed;
uniform bool outlined;
out vec4 colour;

int labelAt(ivec2 place) {
  return int(texelFetch(labels, clamp(place, ivec2(0), textureSize(labels, 0) - 1), 0).r * 255.0 + 0.5);
}
int classAt(ivec2 place) {
  return int(texelFetch(classes, ivec2(labelAt(place), 0), 0).r * 255.0 + 0.5);
}

void main() {
  ivec2 here = ivec2(gl_FragCoord.xy);
  int label = labelAt(here);
  if (label == 255) discard;
  vec4 own = texelFetch(colours, ivec2(label, 0), 0);
  int mine = classAt(here);
  bool hatched = own.a > 0.2 && own.a < 0.8;
  if (own.a < 0.2) discard;
  bool border = (outlined || highlighted >= 0) && (
    classAt(here + ivec2(1, 0)) != mine || classAt(here - ivec2(1, 0)) != mine ||
    classAt(here + ivec2(0, 1)) != mine || classAt(here - ivec2(0, 1)) != mine);
  float strength = opacity;
  if (hatched) strength *= ((here.x + here.y) / 3) % 3 == 0 ? 1.0 : 0.15;
  if (outlined) strength = border ? max(opacity, 0.85) : 0.0;
  if (highlighted >= 0) {
    if (mine == highlighted)
      strength = border ? 1.0 : dimmed < 1.0 ? max(strength, min(0.85, opacity + 0.25)) : strength;
    else strength *= dimmed;
  }
  vec3 shown = border && mine == highlighted ? mix(own.rgb, vec3(1.0), 0.6) : own.rgb;
  colour = vec4(shown * strength, strength);
}`

/** Colours labels of tiles that don't overlap, without borders, in half the work of drawing the labels first. */
export const DIRECT = `#version 300 es
precision highp float;
uniform sampler2D tile;
uniform sampler2D colours;
uniform float opacity;
in vec2 at;
out vec4 colour;
void main() {
  int label = int(texture(tile, at).r * 255.0 + 0.5);
  if (label == 255) discard;
  vec4 own = texelFetch(colours, ivec2(label, 0), 0);
  if (own.a < 0.2) discard;
  float strength = opacity;
  ivec2 here = ivec2(gl_FragCoord.xy);
  if (own.a < 0.8) strength *= ((here.x + here.y) / 3) % 3 == 0 ? 1.0 : 0.15;
  colour = vec4(own.rgb * strength, strength);
}`
