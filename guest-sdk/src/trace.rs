//! Diagnostics for the module's author, in the local log of each frontend. At most 1 KiB a line
//! and 64 lines a call; the rest is dropped. Natively, lines go nowhere.

macro_rules! levels {
    ($($(#[$doc:meta])* $name:ident $level:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(text: &str) {
            #[cfg(target_family = "wasm")]
            crate::glue::trace(crate::glue::Level::$level, text);
            #[cfg(not(target_family = "wasm"))]
            let _ = text;
        }
    )*};
}

levels! {
    /// A line for whoever looks closely.
    debug Debug;
    /// A line worth keeping.
    info Info;
    /// A line about something odd.
    warn Warn;
    /// A line about something broken; a panic writes one by itself.
    error Error;
}
