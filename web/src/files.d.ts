/** Names of the catalogues' files, beside the page's script, by language. */
declare const CATALOGUE_FILES: Record<string, string>;

/** Name of the engine's file, beside the page's script. */
declare const ENGINE_FILE: string;

/** Name of the file of the maker of link codes, beside the page's script. */
declare const LINKER_FILE: string;

/** Name of the signer's file, beside the page's script. */
declare const SIGNER_FILE: string;
