package kql_test
import ("testing";"os";"glassward/kql")
func TestZZ(t *testing.T){ b,_:=os.ReadFile("/tmp/q.kql"); p,d:=kql.Compile(string(b),kql.Options{Lineage: os.Getenv("LIN")!=""}); if p==nil {t.Fatal(d.Err())}; t.Log("\n"+p.SQL); r,err:=newEngine(t).run(p,kql.Bind{}); if err!=nil{t.Fatal(err)}; t.Log(r.Columns); for _,x:=range r.Rows{t.Log(x...)} }
