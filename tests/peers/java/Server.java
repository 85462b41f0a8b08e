// An HTTPS server of Java's JSSE for the tests: java Server.java PORT STORE PASSWORD AUTHORITY VERSION FEATURE

import java.io.*;
import java.net.InetAddress;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.*;

public class Server {
    public static void main(String[] arguments) throws Exception {
        char[] password = arguments[2].toCharArray();
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream file = new FileInputStream(arguments[1])) {
            store.load(file, password);
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance("SunX509");
        keys.init(store, password);
        KeyStore authorities = KeyStore.getInstance(KeyStore.getDefaultType());
        authorities.load(null, null);
        try (InputStream file = new FileInputStream(arguments[3])) {
            authorities.setCertificateEntry("authority", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(authorities);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory()
            .createServerSocket(Integer.parseInt(arguments[0]), 50, InetAddress.getByName("127.0.0.1"));
        listener.setEnabledProtocols(new String[] {arguments[4]});
        listener.setNeedClientAuth(arguments[5].equals("client"));
        SSLParameters parameters = listener.getSSLParameters();
        parameters.setApplicationProtocols(new String[] {"http/1.1"});
        listener.setSSLParameters(parameters);
        while (true) {
            SSLSocket connection = (SSLSocket) listener.accept();
            new Thread(() -> answer(connection)).start();
        }
    }

    static void answer(SSLSocket connection) {
        try (connection) {
            BufferedReader lines = new BufferedReader(new InputStreamReader(connection.getInputStream()));
            for (String line = lines.readLine(); line != null && !line.isEmpty(); line = lines.readLine()) { }
            connection.getOutputStream().write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".getBytes());
        } catch (IOException error) {
            System.err.println(error);
        }
    }
}
