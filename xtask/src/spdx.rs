//! SPDX licence expressions, as far as crates use them: `AND`, `OR`, `WITH`, brackets, and the old `/`.

/// Whether `expression` can be satisfied with licences that `allowed` accepts.
///
/// A licence `WITH` an exception is asked for as a whole, `"Apache-2.0 WITH LLVM-exception"`.
/// Errors name the place that is no expression.
pub(crate) fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut parser = Parser { words: spaced.split_whitespace().collect(), next: 0, allowed };
    let verdict = parser.any()?;
    match parser.peek() {
        None => Ok(verdict),
        Some(word) => Err(format!("`{expression}` has an unexpected `{word}`")),
    }
}

struct Parser<'a> {
    words: Vec<&'a str>,
    next: usize,
    allowed: &'a dyn Fn(&str) -> bool,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<bool, String> {
        let mut verdict = self.all()?;
        while self.take("OR") {
            verdict |= self.all()?;
        }
        Ok(verdict)
    }

    fn all(&mut self) -> Result<bool, String> {
        let mut verdict = self.one()?;
        while self.take("AND") {
            verdict &= self.one()?;
        }
        Ok(verdict)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.take("(") {
            let verdict = self.any()?;
            return if self.take(")") { Ok(verdict) } else { Err("a bracket is not closed".into()) };
        }
        let licence = self.word()?;
        if self.take("WITH") {
            let exception = self.word()?;
            return Ok((self.allowed)(&format!("{licence} WITH {exception}")));
        }
        Ok((self.allowed)(licence))
    }

    fn word(&mut self) -> Result<&'a str, String> {
        match self.peek() {
            Some(word) if !["AND", "OR", "WITH", "(", ")"].contains(&word) => {
                self.next += 1;
                Ok(word)
            }
            Some(word) => Err(format!("`{word}` stands where a licence should")),
            None => Err("the expression ends where a licence should stand".into()),
        }
    }

    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.next).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        self.next += usize::from(found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(expression: &str) -> bool {
        satisfied(expression, &|licence| ["MIT", "ISC", "Apache-2.0"].contains(&licence)).unwrap()
    }

    #[test]
    fn one_allowed_choice_is_enough() {
        assert!(passes("GPL-3.0-only OR MIT"));
        assert!(passes("Unlicense/MIT"));
        assert!(!passes("GPL-3.0-only OR MPL-2.0"));
    }

    #[test]
    fn all_parts_of_a_conjunction_are_needed() {
        assert!(passes("ISC AND (Apache-2.0 OR OpenSSL)"));
        assert!(!passes("ISC AND OpenSSL"));
        assert!(passes("GPL-2.0-only AND ISC OR MIT"), "AND binds tighter than OR");
    }

    #[test]
    fn an_exception_makes_another_licence() {
        assert!(!passes("Apache-2.0 WITH LLVM-exception"));
        assert!(passes("Apache-2.0 WITH LLVM-exception OR MIT"));
    }

    #[test]
    fn nonsense_is_an_error() {
        let all = |_: &str| true;
        for nonsense in ["", "MIT OR", "(MIT", "MIT ISC", "OR MIT", "MIT WITH"] {
            assert!(satisfied(nonsense, &all).is_err(), "{nonsense}");
        }
    }
}
