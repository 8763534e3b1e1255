"""A rule whose condition has 120 alternatives."""
alternatives = " or ".join(f"(process.uid == {i} and process.gid == {i})" for i in range(120))
print(f"""ksp 1
package p
allow K0312 "generated"
rule r "Example" {{
  severity low
  on exec where {alternatives}
  alert "x"
}}""")
