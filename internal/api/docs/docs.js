// Draws /openapi.json. Tokens that are typed in stay in this page's memory: nothing is kept in the browser's storage.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const shade = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", shade);
shade();

// Nor does the browser keep a token in its form history, or send it to a spelling service.
document.addEventListener("focusin", ({ target }) => {
	if (target.matches("#swagger-ui :is(input, textarea)")) {
		target.autocomplete = "off";
		target.spellcheck = false;
	}
});

SwaggerUIBundle({
	dom_id: "#swagger-ui",
	url: "/openapi.json",
	presets: [SwaggerUIBundle.presets.apis],
	layout: "BaseLayout",
	deepLinking: true,
	displayRequestDuration: true,
	defaultModelsExpandDepth: 0,
	persistAuthorization: false,
	queryConfigEnabled: false,
	validatorUrl: null,
});
