"""Rolling out to places where Noria runs, as pure rules: what is seen comes in, what to do next comes out."""
