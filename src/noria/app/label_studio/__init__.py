"""A Label Studio server of Noria's own: installed apart, started on loopback, silent towards the outside."""
