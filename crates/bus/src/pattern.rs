//! Which subjects a subscriber hears, as NATS writes it. Pure.

/// Tokens between dots: `*` stands for one token, `>` at the end for one or more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern(&'static str);

impl Pattern {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self(text)
    }

    pub(crate) fn matches(self, subject: &str) -> bool {
        let mut subject = subject.split('.');
        let mut pattern = self.0.split('.').peekable();
        while let Some(wanted) = pattern.next() {
            match subject.next() {
                Some(_) if wanted == ">" && pattern.peek().is_none() => return true,
                Some(token) if wanted == "*" || wanted == token => {}
                _ => return false,
            }
        }
        subject.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_star_is_one_token_and_an_arrow_is_the_rest() {
        for (pattern, subject, heard) in [
            ("auth.revoked", "auth.revoked", true),
            ("auth.revoked", "auth.revoked.x", false),
            ("auth.revoked", "auth", false),
            ("log.*.error", "log.members.error", true),
            ("log.*.error", "log.members.info", false),
            ("log.*", "log.members.info", false),
            ("log.>", "log.members.info", true),
            ("log.>", "log.x", true),
            ("log.>", "log", false),
            ("log.>", "logs.x", false),
            (">", "anything", true),
            ("log.>.error", "log.members.error", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(subject), heard, "{pattern} and {subject}");
        }
    }
}
