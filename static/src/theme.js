// Runs before the first paint, so that a chosen theme never flashes the other one.
// "system" keeps no attribute: the style sheet then follows the device.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // storage refused: follow the device
}
