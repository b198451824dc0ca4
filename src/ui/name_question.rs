//! Question to the user for another username, after a username was refused.

use super::execute::{AfterLine, RequestSink};
use super::render::{LineKind, RenderedText, name_problem_text};
use super::safe::{safe_line, safe_name};
use super::view_state::SharedViewState;
use crate::model::{Command, NameError, NameKey, Request, RequestTag, Username};
use crate::text;

/// Maximum number of refused names that are remembered. Beyond it, the oldest is forgotten.
/// Remembered names are not suggested again.
const MAX_REFUSED_NAMES: usize = 100;

/// State of the question for another username.
#[derive(Debug, Default)]
pub struct NameQuestion {
    /// Default username of this user, without a number; `None` if it is unknown. It is suggested
    /// after a numbered variant of it was refused.
    pub usual_name: Option<String>,
    /// Names that were refused since the program was started, the latest at the end.
    refused: Vec<String>,
    /// Suggested name: the answer if the user enters an empty line. `None` if the question is not
    /// open.
    suggestion: Option<Username>,
}

impl NameQuestion {
    /// Opens the question, because `name` was refused. Makes a new suggestion.
    pub fn open(&mut self, name: &str) {
        if self.refused.len() >= MAX_REFUSED_NAMES {
            self.refused.remove(0);
        }
        self.refused.push(name.to_owned());
        self.suggestion = Some(self.suggest(name));
    }

    /// Returns the suggested name: the answer if the user enters an empty line. `None` if the
    /// question is not open.
    #[must_use]
    pub const fn suggestion(&self) -> Option<&Username> {
        self.suggestion.as_ref()
    }

    /// Returns the prompt for the answer; `None` if the question is not open.
    #[must_use]
    pub fn prompt(&self) -> Option<String> {
        let suggestion = safe_name(self.suggestion.as_ref()?.as_str());
        Some(text!("name-prompt", suggestion = suggestion) + " ")
    }

    /// Opens the question, because `name` cannot be a username. Returns the lines of the question.
    pub fn refuse(&mut self, name: &str) -> Vec<String> {
        self.open(name);
        let reason = match Username::new(name) {
            Ok(_) => String::new(),
            Err(problem) => impossible_name_text(problem),
        };
        self.render(name, &reason)
    }

    /// Returns the lines of the question, after `name` was refused for `reason`. Returns no lines
    /// if the question is not open.
    pub(super) fn render(&self, name: &str, reason: &str) -> Vec<String> {
        let Some(suggestion) = &self.suggestion else { return Vec::new() };
        let suggestion = safe_name(suggestion.as_str());
        vec![
            format!("!! {}: {}", safe_line(name), safe_line(reason)),
            format!("-- {}", text!("name-question-again", suggestion = suggestion)),
        ]
    }

    /// Answers the open question with a typed line. Returns the name to request; for an empty line,
    /// the suggestion.
    ///
    /// # Errors
    /// The line cannot be a username. The question stays open, with a suggestion made from the
    /// line. Returns the lines of the question.
    pub fn answer(&mut self, line: &str) -> Result<String, Vec<String>> {
        let typed = line.trim();
        if let Some(suggestion) = &self.suggestion
            && typed.is_empty()
        {
            let name = suggestion.as_str().to_owned();
            self.suggestion = None;
            return Ok(name);
        }
        match Username::new(typed) {
            Ok(name) => {
                self.suggestion = None;
                Ok(name.as_str().to_owned())
            }
            Err(_) => Err(self.refuse(typed)),
        }
    }

    /// Returns a valid name similar to `name` that was not refused. First choice: `name` with its
    /// forbidden characters replaced or removed. Second: the usual name, if `name` is a numbered
    /// variant of it. Otherwise: the name with a number.
    fn suggest(&self, name: &str) -> Username {
        let is_free = |it: &Username| !self.refused.iter().any(|no| NameKey::of(no) == *it.key());
        let valid = Username::from_text(name);
        if is_free(&valid) {
            return valid;
        }
        let stem = valid.as_str().trim_end_matches(|c: char| c.is_ascii_digit());
        let (stem, first) = match (Username::new(stem), valid.as_str().get(stem.len()..)) {
            (Ok(stem), Some(digits)) => {
                (stem, digits.parse().map_or(2, |it: u32| it.saturating_add(1)))
            }
            _ => (valid.clone(), 2),
        };
        let usual = self.usual_name.as_deref().and_then(|it| Username::new(it).ok());
        let usual = usual.filter(|it| *it == stem && is_free(it));
        usual.unwrap_or_else(|| {
            let mut numbered = (first..).map(|number| stem.numbered(number));
            numbered.find(is_free).unwrap_or(valid)
        })
    }
}

/// Returns the text that a text cannot be a name, and why.
#[must_use]
pub fn impossible_name_text(problem: NameError) -> String {
    text!("name-impossible", problem = name_problem_text(problem))
}

/// If the question is open, takes a typed line as the answer: requests the name, or tells the user
/// why the line cannot be a username. If the question is not open, or the line is a command, does
/// nothing and returns `None`.
pub(super) fn execute_answer(
    line: &str,
    view: &SharedViewState,
    requests: &impl RequestSink,
    tell: &mut impl FnMut(RenderedText),
) -> Option<AfterLine> {
    let is_open = view.with(|it| it.name_question.suggestion().is_some());
    if !is_open || line.starts_with('/') {
        return None;
    }
    match view.with(|it| it.name_question.answer(line)) {
        Ok(name) => {
            let request = Request { tag: RequestTag::default(), command: Command::Name(name) };
            Some(requests.send(request))
        }
        Err(lines) => {
            for text in lines {
                tell(RenderedText { text, kind: LineKind::Status, bell: false });
            }
            Some(AfterLine::Continue)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;

    /// Refuses each of the names in turn. Returns the suggestion after each refusal.
    fn suggestions(usual: Option<&str>, refused: &[&str]) -> Vec<String> {
        let usual_name = usual.map(str::to_owned);
        let mut question = NameQuestion { usual_name, ..NameQuestion::default() };
        let mut suggest = |name: &&str| {
            question.open(name);
            question.suggestion().unwrap().as_str().to_owned()
        };
        refused.iter().map(&mut suggest).collect()
    }

    /// Each suggestion is a valid name that was not refused before.
    #[test]
    fn suggested_names_are_valid_and_were_not_refused() {
        assert_eq!(suggestions(None, &["anna", "anna2", "ANNA3"]), ["anna2", "anna3", "ANNA4"]);
        assert_eq!(suggestions(None, &["Anna Smith", "Anna-Smith"]), ["Anna-Smith", "Anna-Smith2"]);
        assert_eq!(suggestions(None, &["", "guest", "42"]), ["guest", "guest2", "422"]);
        // The refused name is a numbered variant of the usual name, as one that was remembered.
        assert_eq!(suggestions(Some("anna"), &["anna2", "anna"]), ["anna", "anna3"]);
        assert_eq!(suggestions(Some("anna"), &["bob2"]), ["bob3"]);
        let long = "x".repeat(31) + "9";
        assert_eq!(suggestions(None, &[&long]), ["x".repeat(30) + "10"]);
    }

    /// An empty line takes the suggestion. An invalid name keeps the question open, with a new
    /// suggestion.
    #[test]
    fn empty_line_takes_suggestion_and_wrong_name_keeps_question_open() {
        let mut question = NameQuestion::default();
        question.open("anna");
        assert_eq!(question.answer(" \n").as_deref(), Ok("anna2"));
        assert_eq!(question.suggestion(), None);
        question.open("anna2");
        let asked = question.answer("two words").unwrap_err().join("\n");
        for part in ["!! two words: ", "are allowed", "1 to 32", "Press Enter to take two-words."] {
            assert!(asked.contains(part), "{asked}");
        }
        assert_eq!(question.answer("").as_deref(), Ok("two-words"));
        question.open("two-words");
        assert_eq!(question.answer("kitty").as_deref(), Ok("kitty"));
    }

    /// The question is asked in the user's language, with what is wrong with the name.
    #[test]
    fn question_is_in_german() {
        let (asked, prompt) = with_language(Language::German, || {
            let mut question = NameQuestion::default();
            let asked = question.answer("two words").unwrap_err().join("\n");
            (asked, question.prompt())
        });
        let expected = "!! two words: Das kann kein Name sein: Nur sichtbare Buchstaben";
        assert!(asked.starts_with(expected), "{asked}");
        assert!(asked.ends_with("Mit Enter nimmst du two-words."), "{asked}");
        assert_eq!(prompt.as_deref(), Some("Name [two-words]> "));
    }
}
