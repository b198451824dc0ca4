//! Folding of names, after which names that are the same are equal.

/// Folds a text: NFKC, full case folding and NFKC again.
#[cfg(not(feature = "host-unicode"))]
pub(super) fn fold(text: &str) -> String {
    use unicode_normalization::{UnicodeNormalization, is_nfkc};

    let folded = if is_nfkc(text) {
        caseless::default_case_fold_str(text)
    } else {
        caseless::default_case_fold_str(&text.nfkc().collect::<String>())
    };
    folded.nfkc().collect()
}

/// Function of the host that folds a text; unset before [`set_host_fold`].
#[cfg(feature = "host-unicode")]
static HOST_FOLD: std::sync::OnceLock<fn(&str) -> String> = std::sync::OnceLock::new();

/// Folds a text with the host's function, and without one as lower case.
#[cfg(feature = "host-unicode")]
pub(super) fn fold(text: &str) -> String {
    HOST_FOLD.get().map_or_else(|| text.to_lowercase(), |fold| fold(text))
}

/// Sets the host's function for folding, before any name is compared; a second call has no effect.
/// It must make those texts equal that NFKC, full case folding and NFKC make equal.
#[cfg(feature = "host-unicode")]
pub fn set_host_fold(fold: fn(&str) -> String) {
    let _ = HOST_FOLD.set(fold);
}
