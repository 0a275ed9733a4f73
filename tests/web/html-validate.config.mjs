// The recommended rules; each that is relaxed says why.
export default {
  root: true,
  extends: ["html-validate:recommended"],
  rules: {
    // The templates' own manner of writing.
    "doctype-style": ["error", { style: "lowercase" }],
    "no-trailing-whitespace": "off",
    "void-style": "off",
    // A button in one of our forms sends it: that is the default type.
    "no-implicit-button-type": "off",
    // Ids of cases and rows begin with a digit, which HTML allows and CSS can escape.
    "valid-id": ["error", { relaxed: true }],
    // Lists are named for screen readers.
    "aria-label-misuse": ["error", { allowAnyNamable: true }],
    // Fields of one name are the values of one list.
    "form-dup-name": "off",
    // What scrolls in itself (code, wide tables) is a named region that takes the focus; a section around it says no more.
    "prefer-native-element": ["error", { exclude: ["region"] }],
    // A title names the thing in full and then the service.
    "long-title": "off",
  },
};
