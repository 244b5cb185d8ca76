//! What administrators may do.

/// The roles, each of which includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sees everything but secrets and changes nothing.
    Viewer,
    /// And decides what is shown: reviews, words, templates, categories, announcements.
    Content,
    /// And runs the business: users, points, orders, refunds, jobs, codes, plans, prices.
    Operator,
    /// And everything else: administrators, security, backups.
    Owner,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Content, Self::Operator, Self::Owner];

    /// As it is stored.
    pub fn key(self) -> &'static str {
        match self {
            Self::Viewer => "VIEWER",
            Self::Content => "CONTENT",
            Self::Operator => "OPERATOR",
            Self::Owner => "OWNER",
        }
    }

    /// The role of this key.
    pub fn by_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.key() == key)
    }

    /// Whether it may do what takes `needed`.
    pub fn includes(self, needed: Self) -> bool {
        self >= needed
    }

    /// What the page offers to this role. The server does not go by it but by the type of each
    /// operation's first argument.
    pub fn permissions(self) -> impl Iterator<Item = &'static str> {
        let of = |role| match role {
            Self::Viewer => &["read"][..],
            Self::Content => &["review", "words", "templates", "categories", "announcements"],
            Self::Operator => &[
                "users",
                "points",
                "orders",
                "refunds",
                "jobs",
                "codes",
                "plans",
                "prices",
                "reconciliation",
                "tasks",
            ],
            Self::Owner => &["security", "admins", "backups"],
        };
        Self::ALL.into_iter().filter(move |role| self.includes(*role)).flat_map(of).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_includes_those_before_it() {
        for (at, role) in Role::ALL.into_iter().enumerate() {
            for (other_at, other) in Role::ALL.into_iter().enumerate() {
                assert_eq!(role.includes(other), at >= other_at, "{role:?} {other:?}");
            }
            assert_eq!(Role::by_key(role.key()), Some(role));
        }
        assert_eq!(Role::by_key("owner"), None);
        assert_eq!(Role::Viewer.permissions().collect::<Vec<_>>(), ["read"]);
        assert!(Role::Operator.permissions().any(|name| name == "review"));
        assert!(!Role::Operator.permissions().any(|name| name == "admins"));
    }
}
