//! Catalogue of a language: its texts, by their ids.

use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentError, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use super::Language;

/// Argument of a text: a string, or a number.
pub type Argument<'a> = FluentValue<'a>;

/// Texts of a language.
pub(super) struct Catalogue(FluentBundle<FluentResource>);

/// Includes the files of a catalogue.
macro_rules! files {
    ($language:literal) => {
        &[
            include_str!(concat!("locales/", $language, "/shared.ftl")),
            include_str!(concat!("locales/", $language, "/chat.ftl")),
            include_str!(concat!("locales/", $language, "/commands.ftl")),
            include_str!(concat!("locales/", $language, "/programs.ftl")),
            include_str!(concat!("locales/", $language, "/screen.ftl")),
        ]
    };
}

/// Returns the contents of the files of a catalogue.
const fn files(language: Language) -> &'static [&'static str] {
    match language {
        Language::English => files!("en"),
        Language::German => files!("de"),
    }
}

/// Returns the catalogue of a language, which is read when it is needed first.
pub(super) fn of(language: Language) -> &'static Catalogue {
    static ENGLISH: OnceLock<Catalogue> = OnceLock::new();
    static GERMAN: OnceLock<Catalogue> = OnceLock::new();
    let catalogue = match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
    };
    catalogue.get_or_init(|| Catalogue::read(language))
}

impl Catalogue {
    /// Reads the files of a catalogue. What cannot be read is missing: a test finds it.
    fn read(language: Language) -> Self {
        let identifier: LanguageIdentifier = language.tag().parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![identifier]);
        // A terminal would show the characters that keep the directions of arguments apart.
        bundle.set_use_isolating(false);
        for file in files(language) {
            let resource = FluentResource::try_new((*file).to_owned()).unwrap_or_else(|(it, _)| it);
            // An id that is there twice has its first text.
            let _ = bundle.add_resource(resource);
        }
        Self(bundle)
    }

    /// Returns a text with its arguments; `None` if there is none with this id.
    pub(super) fn find(&self, id: &str, arguments: &FluentArgs<'_>) -> Option<String> {
        // An argument that is missing is shown as its name: a test finds it.
        self.format(id, arguments, &mut Vec::new())
    }

    /// Returns a text with its arguments; `None` if there is none with this id. What cannot be put
    /// into the text is shown as its name, and adds an error.
    fn format(
        &self,
        id: &str,
        arguments: &FluentArgs<'_>,
        errors: &mut Vec<FluentError>,
    ) -> Option<String> {
        let pattern = self.0.get_message(id)?.value()?;
        Some(self.0.format_pattern(pattern, Some(arguments), errors).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fluent_syntax::ast::{
        Entry, Expression, InlineExpression, Pattern, PatternElement, VariantKey,
    };

    use super::*;

    /// Values of arguments, by their names.
    type Values = BTreeMap<String, Vec<Argument<'static>>>;

    /// Returns a value for which a variant is chosen: of the forms of a plural, for `one` and `other`,
    /// which are all that there are in the languages.
    fn value_of(key: &VariantKey<&str>) -> Argument<'static> {
        match key {
            VariantKey::NumberLiteral { value } => value.parse::<u32>().unwrap().into(),
            VariantKey::Identifier { name: "one" } => 1.into(),
            VariantKey::Identifier { name: "other" } => 1_000.into(),
            VariantKey::Identifier { name } => (*name).to_owned().into(),
        }
    }

    /// Adds the arguments of a pattern, with values for which each of its variants is chosen.
    fn collect_values(pattern: &Pattern<&str>, values: &mut Values) {
        for element in &pattern.elements {
            let PatternElement::Placeable { expression } = element else { continue };
            let (Expression::Inline(inline) | Expression::Select { selector: inline, .. }) =
                expression;
            let InlineExpression::VariableReference { id } = inline else { continue };
            let of_argument = values.entry(id.name.to_owned()).or_default();
            if let Expression::Select { variants, .. } = expression {
                of_argument.extend(variants.iter().map(|it| value_of(&it.key)));
                variants.iter().for_each(|it| collect_values(&it.value, values));
            }
        }
    }

    /// Returns arguments with each combination of values. One that has no values is a string.
    fn combinations(values: &Values) -> Vec<Vec<(&str, Argument<'_>)>> {
        let mut all = vec![Vec::new()];
        for (name, values) in values {
            let default = [Argument::from("anna")];
            let values = if values.is_empty() { &default[..] } else { values };
            let with = |before: &Vec<_>, value: &Argument<'static>| {
                before.iter().cloned().chain([(name.as_str(), value.clone())]).collect()
            };
            all =
                all.iter().flat_map(|it| values.iter().map(move |value| with(it, value))).collect();
        }
        all
    }

    /// Every text of every language can be put together, whichever of its variants is chosen, and no
    /// id is in two files.
    #[test]
    fn every_text_can_be_put_together() {
        for language in Language::ALL {
            let catalogue = Catalogue::read(*language);
            let mut bundle = FluentBundle::<FluentResource>::new_concurrent(Vec::new());
            for file in files(*language) {
                let resource = FluentResource::try_new((*file).to_owned()).unwrap();
                for entry in resource.entries() {
                    let Entry::Message(message) = entry else { continue };
                    let mut values = Values::new();
                    collect_values(message.value.as_ref().unwrap(), &mut values);
                    for arguments in combinations(&values) {
                        let (id, mut errors) = (message.id.name, Vec::new());
                        let arguments = arguments.into_iter().collect();
                        let text = catalogue.format(id, &arguments, &mut errors).unwrap();
                        assert!(errors.is_empty(), "{language:?}, {id}: {errors:?} in {text:?}");
                    }
                }
                assert_eq!(bundle.add_resource(resource), Ok(()), "{language:?}");
            }
        }
    }
}
