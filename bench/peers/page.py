def html(result): return ""
